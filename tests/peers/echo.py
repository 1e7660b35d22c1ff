"""A server that sends each request's body back while it comes, and says nothing else.

    python tests/peers/echo.py PORT

Python's own HTTP server with a thread for each connection; nothing of hapair in it.
"""

import http.server
import sys


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left:
            data = self.rfile.read1(min(left, 65536))
            if not data:
                return
            self.wfile.write(data)
            left -= len(data)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
