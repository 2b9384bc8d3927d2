"""The data sets, one file each, with an ``ENTRY`` (``bench.data.registry.DatasetEntry``); imports nothing heavy."""
