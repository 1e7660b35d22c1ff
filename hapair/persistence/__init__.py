"""Clients come back to the server that they had, on every worker of either node.

key.py        what cookies are signed with
teller.py     a worker tells what it learns, and takes in what it is told
hub.py        the node's copy of the tables; who is told what             pure
outbox.py     what the peer is yet to be told                             pure
messages.py   what the nodes say to each other                            pure
store.py      tables in a file
views.py      how it stands, in the status                                pure

hapair/node_persistence.py brings them together.
"""
