"""HTTP/1.1: bytes in, values out (RFC 9110, RFC 9112). Pure: no IO, no clock.

A head is one regular expression, so a message is either wholly valid or rejected. What is forwarded is built from the
received bytes: header lines are taken out and put in, and never written anew from a parsed form.
"""
