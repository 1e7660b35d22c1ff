"""The kernel plane on a node: balancer/kernel says by which rules packets move, and this package keeps them in place.

plane.py        rules follow the standing of servers and are put back when somebody flushes them
events.py       who else changes nftables: the seam to its events
counters.py     counters of nft to the counters of the status                                   pure
cutting.py      ends the flows of a server that is DOWN; the seam to raw IP sockets
neighbours.py   MAC addresses of servers, for direct server return; the seam to them
server_side.py  what a server of direct server return must have, put in place there; the seam to its addresses
vip_probing.py  a check of such a server, at its own address and at the VIP
own_servers.py  servers that are on this machine itself, to which it cannot forward
sysctls.py      settings of this machine that forwarding needs, and that are put back; the seam to /proc/sys
"""
