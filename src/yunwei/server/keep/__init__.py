"""The platform's own operation: backup, restore, upgrade, and the move from SQLite to PostgreSQL."""
