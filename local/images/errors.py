"""The one exception of this package."""


class ImageError(Exception):
    """An image could not be built; the message is one line that says what to do."""
