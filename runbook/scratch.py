"""Throwaway servers in which a backup is tried: where they listen, and how they are started.

In the pod of a job each is a container of its own that runs the production's image, so that it is the production's
version. It holds no credentials: whatever a restored database makes it do, there is nothing to take.
"""

from __future__ import annotations

from typing import Final

# A volume that ends with the pod; each server has a folder in it.
FOLDER: Final = "/scratch"
POSTGRES: Final = "postgres"
REDIS: Final = "redis"
REDIS_SOCKET: Final = "redis.sock"
POSTGRES_PORT: Final = 5432
POSTGRES_SUPERUSER: Final = "postgres"

POSTGRES_SETTINGS: Final = {
    "listen_addresses": "",
    # A crash loses nothing that has a worth: the next run starts with an empty folder.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "max_connections": "20",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
    "log_min_messages": "fatal",
}
# Room beside the database itself: the WAL of filling it, and the server's own databases.
POSTGRES_OVERHEAD_BYTES: Final = 512 * 2**20

REDIS_SETTINGS: Final = {
    "port": "0",
    "save": "",
    "appendonly": "no",
    "databases": "10000",
    "enable-debug-command": "local",
    # A value of many gigabytes is one text to DUMP and RESTORE: what the real server takes of it is the restore's care.
    "proto-max-bulk-len": "1000gb",
    "client-query-buffer-limit": "1000gb",
    "loglevel": "warning",
}
