"""One file a family of backends; ``bench.backends.catalogue`` finds them."""
