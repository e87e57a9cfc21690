"""Move a live SQLite application to PostgreSQL without losing a row."""
