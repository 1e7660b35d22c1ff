"""What happened on this node and why: for `hapair events`, the page and notifications.

event.py is what is told, store.py what is kept, feed.py who listens; noticing.py, routers.py and servers.py find
events in what changed, and hapair/node_events.py brings them what there is to look at.
"""
