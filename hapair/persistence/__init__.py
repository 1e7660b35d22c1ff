"""Clients come back to the server that they had, on every worker of either node.

key.py        what cookies are signed with
"""
