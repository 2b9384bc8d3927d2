"""What runtimes tell of their operators: a file for each family whose profiler can be read from Python."""
