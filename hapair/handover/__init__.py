"""Planned handover: the VIPs move to the peer, and open TCP connections stay where they are until they end.

giver (holds the VIPs)                                     taker (its peer)
  ask, with the flows that are open  ------------------>   fit? then it forwards those flows to the giver, by MAC
                                                           becomes Active: claims, announces
  keeps the VIPs as local routes   <--------- taken ----   holds the VIPs
  lists the flows again, releases the VIPs  -- flows --->  forwards those too
  the connections end, one by one, or the deadline passes
  forgets the VIPs                 --------- done ----->   stops forwarding
"""
