//go:build tools

// Package tools keeps go.mod and go.sum tidy for the controllers that run in the cluster.
//
// go.mod takes the versions of the Kubernetes tools where it can, by excluding newer ones: what both use is compiled once.
package tools

import (
	_ "github.com/prometheus-community/postgres_exporter/cmd/postgres_exporter"
	_ "github.com/prometheus-operator/prometheus-operator/cmd/operator"
	_ "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader"
	_ "github.com/prometheus/prometheus/cmd/prometheus"
)
