"""The AWS side of the embedded environment: an endpoint whose state outlives it, and a Pulumi provider for it."""
