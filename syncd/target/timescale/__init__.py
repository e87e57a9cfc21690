"""TimescaleDB: whether it is there, what it holds, and the statements that bring a table into its shape."""
