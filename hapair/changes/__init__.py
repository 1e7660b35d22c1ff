"""What people change of servers while a node runs: kept over a reload and a restart, and known to both nodes."""
