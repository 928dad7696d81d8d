module crypto.local/tests/oracles/reference

go 1.26.4

// What k8s.io/kubernetes requires in the version of local/toolchain/modules/kubernetes.
require github.com/distribution/reference v0.6.0

require github.com/opencontainers/go-digest v1.0.0 // indirect
