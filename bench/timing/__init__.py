"""The timing kit that everything shares. It needs numpy only and runs on Python 3.9, because devices use it too."""
