module crypto.local/tests/oracles/cron

go 1.26.4

// What k8s.io/kubernetes requires in the version of local/toolchain/versions.toml.
require github.com/robfig/cron/v3 v3.0.1
