//go:build tools

// Package tools keeps go.mod and go.sum tidy for kube-state-metrics.
//
// It has a module of its own, because it needs newer packages of Prometheus than the other controllers have. All else is what
// the Kubernetes tools have, so that client-go and what it stands on is not compiled again.
package tools

import _ "k8s.io/kube-state-metrics/v2"
