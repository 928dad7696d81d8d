"""The access review (section 7.1)."""
