// cert-manager is its controller with the issuers SelfSigned and CA, for a cluster that cannot reach an ACME server.
//
// The released program is a module of its own, which module proxies do not serve. This one runs the same controllers, all
// in one process and without leader election.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

const workersEach = 2

func main() {
	kubeconfig := flag.String("kubeconfig", "", "a kubeconfig; the pod's own account without it")
	metrics := flag.String("metrics-listen-address", ":9402", "where /metrics is served")
	health := flag.String("healthz-listen-address", ":9403", "where /livez and /readyz are served")
	namespace := flag.String("cluster-resource-namespace", "cert-manager", "where the Secrets of ClusterIssuers are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *kubeconfig, *namespace, *metrics, *health); err != nil {
		log.Fatal(err)
	}
}

// run returns nil once the context ends, and an error as soon as a part fails: half a cert-manager must not go on.
func run(ctx context.Context, kubeconfig, namespace, metricsAddress, healthAddress string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	factory, err := controller.NewContextFactory(ctx, options(kubeconfig, namespace))
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	issuers := shared.SharedInformerFactory.Certmanager().V1()
	shared.Metrics.SetupCertificateCollector(issuers.Certificates().Lister())
	shared.Metrics.SetupIssuerCollector(issuers.Issuers().Lister())
	shared.Metrics.SetupClusterIssuerCollector(issuers.ClusterIssuers().Lister())

	go func() { cancel(serveMetrics(shared, metricsAddress)) }()
	var ready atomic.Bool
	go func() { cancel(serveHealth(&ready, healthAddress)) }()
	for name, construct := range controller.Known() {
		built, err := construct(factory)
		if err != nil {
			return fmt.Errorf("the controller %s: %w", name, err)
		}
		go func() {
			if err := built.Run(workersEach, ctx); err != nil {
				cancel(fmt.Errorf("the controller %s: %w", name, err))
			}
		}()
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.SharedInformerFactory.WaitForCacheSync(ctx.Done())
	shared.KubeSharedInformerFactory.WaitForCacheSync(ctx.Done())
	ready.Store(true)
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func options(kubeconfig, namespace string) controller.ContextOptions {
	return controller.ContextOptions{
		Kubeconfig:         kubeconfig,
		KubernetesAPIQPS:   50,
		KubernetesAPIBurst: 100,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: namespace},
		// The released defaults are an hour and 32: too long for a person who corrects an issuer and looks on.
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: 10 * time.Second,
			CertificateRequestMaximumBackoffDuration: 5 * time.Minute,
		},
	}
}

func serveMetrics(shared *controller.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return shared.Metrics.NewServer(listener).Serve(listener)
}

func serveHealth(ready *atomic.Bool, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/readyz", func(answer http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(answer, "the caches are not filled yet", http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}
