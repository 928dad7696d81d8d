//go:build tools

// Package tools keeps go.mod and go.sum tidy for the program that judges the workflows of GitHub Actions.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
