"""Errors that a command reports as one line."""


class InputError(ValueError):
    """Bad usage or bad input: one line that says what was wrong, where, and what would be right."""
