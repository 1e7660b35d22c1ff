"""What the two node processes tell each other: how each is, and what its file says.

A connection of its own, at pair.port + 2, authenticated as the liveness link is: the announcer carries VRRP alone.
messages.py is what is said, link.py says it, drift.py compares files, standing.py is what is known of the peer.
"""
