// pulumi-resource-kubernetes is the release of the provider whose SDK the program pins, built from its module.
//
// The released command embeds two files of its own folder. They are large and lie in the module already: the build lays
// them over this folder (`go build -overlay`), so that they are neither copied into this repository nor out of step.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is set by the linker, from versions.toml.
var version string

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

func main() { provider.Serve("kubernetes", version, schema, mapping) }
