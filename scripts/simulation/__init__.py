"""``ops incident simulate``: a fault in the embedded environment, and the alert that must follow."""
