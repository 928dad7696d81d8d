"""What the embedded cluster has beyond Kubernetes: controllers of certificates, monitoring and Ingresses.

Production has the same from elsewhere; both are found under the same labels, so that both stacks declare the same.
"""
