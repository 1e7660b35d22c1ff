"""HTTP/2 towards clients: frames in, HTTP/1.1 heads and bodies out, and back (RFC 9113). Pure: no IO, no clock.

    library, compression    the h2 library: streams, windows, settings, frames that go out; header blocks
    session                 the guard in front of it: each rule of RFC 9113 that h2 does not keep, and floods
    frames, headerblock     what the guard reads: frames by their headers, header blocks in pieces
    sending                 what goes out next: streams in turn
    request, response       header lists <-> HTTP/1.1 messages, which the same strict parser reads as any other

docs/http2.md says what h2 does by itself, what the guard adds and why.
"""
