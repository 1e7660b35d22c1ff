"""Clients come back to the server that they had.

tokens.py       the name of a server as a client is told it: opaque and signed         pure
cookies.py      tokens in Cookie and Set-Cookie                                        pure
table.py        addresses of clients, and the server of each                           pure
belonging.py    both of one pool: whom a request belongs to                            pure
memory.py       what one worker knows of all pools; it outlives their configuration    pure
"""
