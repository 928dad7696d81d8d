module crypto.local/tests/oracles/cron

go 1.26.4

// What k8s.io/kubernetes requires in the version of local/toolchain/modules/kubernetes.
require github.com/robfig/cron/v3 v3.0.1
