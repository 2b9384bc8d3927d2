"""The zoo's error."""

from bench.core.errors import InputError


class ZooError(InputError):
    """What the user asked of the zoo cannot be had; the message is one line and says what can."""
