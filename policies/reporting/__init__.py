"""What a check came to, once, and the forms in which people and programs read it."""
