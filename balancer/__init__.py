"""A load-balancing library: pools, policies, health, and a proxy plane for TCP and HTTP on a reactor of its own."""
