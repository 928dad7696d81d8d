"""Container images of the embedded environment, built from Dockerfiles without a Docker engine."""
