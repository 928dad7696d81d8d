//go:build tools

// Package tools keeps go.mod and go.sum tidy for the commands that the toolchain builds from this module.
//
// containerd stands apart from the Kubernetes module: the CRI types of Kubernetes v1.36.3 (KeyValue.Value is []byte) do
// not compile with containerd 2.2 and 2.3. On the wire the two agree.
package tools

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
)
