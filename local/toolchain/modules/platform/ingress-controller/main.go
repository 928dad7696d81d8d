// ingress-controller is skipper, which routes by the cluster's Ingresses and takes certificates from their Secrets.
//
// Skipper's own redirect to HTTPS believes the header X-Forwarded-Proto, for it expects a load balancer before it. Here
// clients come directly, so that the connection itself tells: what came without TLS is redirected.
package main

import (
	"log"
	"net"
	"net/http"

	"github.com/zalando/skipper"
	"github.com/zalando/skipper/config"
)

func main() {
	settings := config.NewConfig()
	if err := settings.Parse(); err != nil {
		log.Fatalf("the flags are wrong: %v", err)
	}
	options := settings.ToOptions()
	wrap := options.CustomHttpHandlerWrap
	options.CustomHttpHandlerWrap = func(routes http.Handler) http.Handler {
		return redirectToHTTPS(wrap(routes))
	}
	if err := skipper.Run(options); err != nil {
		log.Fatal(err)
	}
}

func redirectToHTTPS(routes http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if request.TLS != nil {
			routes.ServeHTTP(answer, request)
			return
		}
		target := *request.URL
		target.Scheme, target.Host = "https", request.Host
		if host, _, err := net.SplitHostPort(request.Host); err == nil {
			target.Host = host
		}
		http.Redirect(answer, request, target.String(), http.StatusPermanentRedirect)
	})
}
