"""Runtimes that networks are run in; ``bench.backends.catalogue`` is the door. docs/backends.md says what each does."""
