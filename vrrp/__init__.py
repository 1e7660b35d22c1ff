"""VRRPv3 (RFC 9568): a pure state machine, a trio runner and the Linux seams that carry out its effects."""
