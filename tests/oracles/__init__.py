"""What of this project is a twin of something else, beside the original."""
