"""Looking into Redis and clearing it without holding it up (section 3.3)."""
