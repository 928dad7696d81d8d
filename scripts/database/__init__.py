"""Looking after PostgreSQL: connections, slow statements, indexes and dead rows (sections 3.2, 6.1 and 6.2)."""
