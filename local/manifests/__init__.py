"""The stacks' Kubernetes objects as YAML, without a cluster, and what independent linters say of them."""
