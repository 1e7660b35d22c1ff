"""The kernel plane: nftables moves the packets of a frontend, and this package says by which rules.

buckets.py      which server each place of a pool's table belongs to                          pure
services.py     what the kernel is to serve, from configuration and the standing of servers   pure
ruleset.py      that as text for `nft -f -`, whole, or the difference between two of it        pure
vip_checks.py   how servers of direct server return are checked at the VIP                      pure
nft.py          the program nft in a child process: the seam to nftables
conntrack.py    flows as the kernel tells of them and takes them                              pure
ctnetlink.py    the socket to them: the seam
pokes.py        what makes the ends of a flow that is cut speak, and so be reset
"""
