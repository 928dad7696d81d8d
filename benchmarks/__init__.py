"""What is fast, measured against what people would use instead."""
