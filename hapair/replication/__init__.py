"""Flows of the kernel plane, told to the other node while they live, so that they live on there.

frames.py       what the two processes say to each other                                        pure
stream.py       an authenticated conversation over a connection to the peer
process.py      events of the kernel to the peer, what the peer tells into the kernel
"""
