//go:build tools

// Package tools keeps go.mod and go.sum tidy for kube-state-metrics.
//
// It has a module of its own with Kubernetes 1.35: its store lacks a method that client-go 1.36 wants.
package tools

import _ "k8s.io/kube-state-metrics/v2"
