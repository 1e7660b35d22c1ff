"""The liveness link: an authenticated TCP connection between the two announcers of a pair, which ends when one dies.

Its end-of-file or reset says at once what silence on the LAN says after Active_Down_Interval.

    session.py      who is at the other end; frames that cannot be forged or replayed      pure
    frames.py       what is said                                                           pure
    config.py       what a link is told, and what can be seen of it                        pure
    ports.py        whom it tells, and what it needs of the world
    connection.py   one connection, from the handshake to the farewell
    link.py         keeps one up: LivenessLink
    tcp.py          the sockets
    swift_end.py    lets the peer see the end of a killed process sooner
    testing.py      a cable to cut
"""
