"""Access logs: a record of each request, made into a line when it ends, written by a thread of its own.

record -> lines (pure)      what is known, and how each format says it
journal                     one frontend's log in one worker: lines in batches
writer                      one target in one worker: a bounded queue and the thread that empties it
"""
