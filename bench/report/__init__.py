"""The paper's tables and its speed-accuracy figure, made from records and nothing else."""
