"""Measurement of pose networks: each command is a folder with a ``__main__``."""
