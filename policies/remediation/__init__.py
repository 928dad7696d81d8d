"""What the pack may mend by itself: changes that are safe whatever the program is, and the same when made again.

Never capacity: how much something needs is a decision. A rule mends only where the stack's configuration gives it the
level ``remediate``.
"""
