"""Which network to take: limits on latency, accuracy, size and memory, applied to records."""
