"""The backends that run networks; ``bench.backends.catalogue`` opens them, docs/backends.md describes them."""
