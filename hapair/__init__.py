"""hapair: a load balancer and its virtual IP addresses on two Linux machines, from one file."""

__version__ = "0.1.0"
