//go:build tools

// Package tools keeps go.mod and go.sum tidy for MinIO: a real S3 server for benchmarks and for tests where size matters.
package tools

import (
	_ "github.com/minio/minio"
)
