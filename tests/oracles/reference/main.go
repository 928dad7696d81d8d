// Asks distribution/reference, by which the kubelet reads references of images: a JSON text in, true or false out.
package main

import (
	// The digests that the kubelet knows.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/json"
	"log"
	"os"

	"github.com/distribution/reference"
)

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var asked string
		if err := in.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		_, err := reference.ParseNormalizedNamed(asked)
		if err := out.Encode(err == nil); err != nil {
			log.Fatal(err)
		}
	}
}
