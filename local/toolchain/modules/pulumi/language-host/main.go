// pulumi-language-python lets the Pulumi engine run programs, plugins and policy packs that are written in Python.
//
// The host of this Pulumi version is a nested Go module that is not served by module proxies. This one is built from the
// parts that the SDK module does carry: the gRPC service, the package python/toolchain (pip, poetry, uv and their virtual
// environments) and the script pulumi-language-python-exec, which must lie in the folder of this executable.
//
// Left out are the services that generate code (`pulumi convert`, `pulumi package add`) and the debugger.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

func main() {
	showVersion := flag.Bool("version", false, "print the version and exit")
	// The engine passes these two to every language host. Traces are not emitted here.
	flag.String("tracing", "", "accepted and ignored: a Zipkin-compatible tracing endpoint")
	flag.String("root", "", "accepted and ignored: the root folder of the project")
	flag.Parse()
	if *showVersion {
		fmt.Println(version.Version)
		return
	}
	if err := serve(flag.Arg(0)); err != nil {
		cmdutil.Exit(err)
	}
}

// serve answers the engine on a free port, which it prints, until the process is interrupted or the engine goes away.
func serve(engineAddress string) error {
	executor, err := findExecutor()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	host := newHost(executor, engineAddress, stop)
	if engineAddress != "" {
		if err := host.followEngine(ctx); err != nil {
			return err
		}
	}
	cancel := make(chan bool)
	go func() {
		<-ctx.Done()
		close(cancel)
	}()
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, host)
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("could not start the language host's server: %w", err)
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}
