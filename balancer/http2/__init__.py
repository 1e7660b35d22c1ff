"""HTTP/2 towards clients: frames in, HTTP/1.1 heads and bodies out, and back (RFC 9113). Pure: no IO, no clock.

    frames, compression     bytes <-> frames, header blocks
    session                 what a client's frames mean, each rule of RFC 9113 and its error code
    sending                 what goes out next: windows, streams in turn
    request, response       header lists <-> HTTP/1.1 messages, which the same strict parser reads as any other

Header compression is the hpack library's. Frames and streams are ours: h2, which is built on it too, answers a
malformed request, a body of the wrong length or a stream too many by ending the connection, names other error codes
than the RFC, and keeps up to 16 MiB of a frame before it refuses it.
"""
