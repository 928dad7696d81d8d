//go:build tools

// Package tools keeps go.mod and go.sum tidy for the commands that the toolchain builds from this module.
package tools

import (
	_ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
)
