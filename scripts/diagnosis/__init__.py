"""One bundle with everything that a diagnosis begins with (section 2.3)."""
