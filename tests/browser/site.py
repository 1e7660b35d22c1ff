"""A small web site for a browser test: a page with many assets, a WebSocket, an EventSource, an upload and a download.

    python tests/browser/site.py PORT

Python's own HTTP server with a thread for each connection; nothing of hapair in it.
"""

import base64
import hashlib
import http.server
import struct
import sys
import zlib
from pathlib import Path

ASSETS = 50
GIGABYTE = 1 << 30
BLOCK = bytes(range(256)) * 4096
"""A download is this again and again: 1 MiB."""
_CLOSE = 8
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name == "/":
            self._answer(Path(__file__).with_name("page.html").read_bytes(), "text/html; charset=utf-8")
        elif name == "/page.js":
            self._answer(Path(__file__).with_name("page.js").read_bytes(), "text/javascript")
        elif name.startswith("/asset/"):
            self._answer(f"export default {int(name.rpartition('/')[2])};\n".encode() + b"//" * 4000, "text/javascript")
        elif name == "/events":
            self._tell_events()
        elif name == "/download":
            self._send_download()
        elif name == "/echo" and self.headers["Upgrade"] == "websocket":
            self._echo()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        left, crc = int(self.headers["Content-Length"]), 0
        while left:
            data = self.rfile.read(min(left, 1 << 20))
            crc = zlib.crc32(data, crc)
            left -= len(data)
        self._answer(b"%08x" % crc, "text/plain")

    def _answer(self, body: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _tell_events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        for number in range(5):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
        self.rfile.read(1)  # until the browser leaves
        self.close_connection = True

    def _send_download(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(GIGABYTE))
        self.end_headers()
        for _ in range(GIGABYTE // len(BLOCK)):
            self.wfile.write(BLOCK)

    def _echo(self) -> None:
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        while (frame := self._frame()) is not None:
            self.wfile.write(_frame_of(*frame))
            if frame[0] & 15 == _CLOSE:
                break
        self.close_connection = True

    def _frame(self) -> tuple[int, bytes] | None:
        """The first byte of a frame (its end of message and opcode) and the data."""
        first = self.rfile.read(2)
        if len(first) < 2:
            return None
        length = first[1] & 127
        if length == 126:
            (length,) = struct.unpack("!H", self.rfile.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.rfile.read(8))
        mask = self.rfile.read(4)
        data = self.rfile.read(length)
        stream = (mask * (length // 4 + 1))[:length]
        return first[0], (int.from_bytes(data) ^ int.from_bytes(stream)).to_bytes(length)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _frame_of(first: int, data: bytes) -> bytes:
    if len(data) < 126:
        return bytes((first, len(data))) + data
    if len(data) < 1 << 16:
        return struct.pack("!BBH", first, 126, len(data)) + data
    return struct.pack("!BBQ", first, 127, len(data)) + data


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Site).serve_forever()
