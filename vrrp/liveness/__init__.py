"""The liveness link: an authenticated TCP connection between the two announcers of a pair, which ends when one dies.

Its end-of-file or reset says at once what silence on the LAN says after Active_Down_Interval. `session` and `frames`
are what is said, `connection` is one TCP connection, `link` keeps one up; `tcp` is the seam to the kernel, `testing`
a cable to cut.
"""
