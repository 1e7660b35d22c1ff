"""A server behind PROXY protocol version 2: it answers with what it was told, as JSON, and how long the body was.

    python tests/peers/introduced_origin.py PORT

Python's own HTTP server with a thread for each connection; nothing of hapair in it.
"""

import http.server
import json
import socket
import struct
import sys

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


class Introduced(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        signature, _, _, size = struct.unpack("!12sBBH", self.rfile.read(16))
        assert signature == SIGNATURE
        self.source = socket.inet_ntoa(self.rfile.read(size)[:4])

    def do_GET(self) -> None:
        length = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"source": self.source, "target": self.path, "length": length, "headers": headers, "padding": "x" * 3000}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Introduced).serve_forever()
