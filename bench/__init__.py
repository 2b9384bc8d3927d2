"""Measurement of pose networks: each command is a folder with a ``__main__``."""


class InputError(ValueError):
    """Bad usage or bad input: one line that says what was wrong, where, and what would be right."""
