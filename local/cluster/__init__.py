"""The embedded one-node Kubernetes cluster: real daemons under one supervisor, in namespaces of their own.

Callers use `local.cluster.lifecycle`. This module imports nothing, because the supervisor and its helpers load it at
every start and need little of the rest.
"""
