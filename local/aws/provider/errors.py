"""What the provider says to its user: one line that names the thing, what is wrong with it and what to do."""


class ProviderError(Exception):
    """Shown by the engine as it is, without a traceback."""
