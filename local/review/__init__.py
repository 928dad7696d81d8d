"""What a pull request is told: one run without rights previews its program, and the main branch judges."""
