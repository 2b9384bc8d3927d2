"""A network's graph of ATen operators: tracing it, and rewriting it exactly into less work."""
