"""The review of the pods' logs (section 1.3)."""
