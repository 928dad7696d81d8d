"""The one exception of this package."""

from local.errors import LocalError


class ImageError(LocalError):
    """An image could not be built; the message is one line that says what to do."""
