"""Active health checks: when a server is probed, how, and what comes of it."""
