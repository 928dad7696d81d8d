"""What the program talks to, each by its own protocol, with errors turned into ``exits`` errors."""
