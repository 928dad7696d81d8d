//go:build tools

// Package tools keeps go.mod and go.sum tidy for the programs that judge rendered manifests.
//
// They stand apart from the Kubernetes tools: only `make lint` needs them, and they are small with their own versions.
package tools

import (
	_ "github.com/yannh/kubeconform/cmd/kubeconform"
	_ "github.com/zegl/kube-score/cmd/kube-score"
)
