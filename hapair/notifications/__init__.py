"""Tells others what happens: webhooks and commands, never in anybody's way.

outbox.py is what waits and when it is tried again, body.py what is sent, webhook.py and hapair/processes.py send it.
"""
