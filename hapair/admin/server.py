"""The admin server: HTTP/1.1 in the node process, few connections at a time, each with a deadline for what it asks.

Traffic is the workers' work; this serves people, Prometheus and its kind. Heads are read by the parser that the proxy
plane uses (balancer/http1), so that what is malformed there is malformed here.
"""

import errno
import logging
from collections import Counter
from contextlib import aclosing

import trio

from balancer.config import HttpLimits
from balancer.http1.errors import BadMessage
from balancer.http1.framing import CHUNKED
from balancer.http1.request import RequestHead, parse_request
from balancer.tls.contexts import DoorContexts
from hapair.admin.logins import Caller, Logins, TooManyAttempts
from hapair.admin.router import Request, Response, Router, head_of, is_near_host, is_same_origin, text
from hapair.events.feed import acting

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 100
REQUEST_S = 10.0
"""From the first byte of a request to its last."""
IDLE_S = 75.0
SEND_S = 30.0
BODY_BYTES = 65_536
_LIMITS = HttpLimits(head_bytes=16_384)
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="hapair", charset="UTF-8"'}
_LEFT = (trio.BrokenResourceError, trio.ClosedResourceError)


class AdminServer:
    """Answers by `router` whom `logins` know. `serve` listeners for ever."""

    def __init__(self, router: Router, logins: Logins, tls: DoorContexts | None = None) -> None:
        """`tls`: None: connections are in clear."""
        self._tls = tls
        self._router = router
        self.logins = logins
        self.refused: Counter[str] = Counter()
        """What was not answered as it was asked, by reason."""
        self._connections = 0

    async def serve(self, listeners: list[trio.SocketListener]) -> None:
        """For ever; to end it, cancel it."""
        await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, stream: trio.SocketStream) -> None:
        self._connections += 1
        try:
            async with stream:
                if self._connections > MOST_CONNECTIONS:
                    self.refused["connections"] += 1
                else:
                    await self._converse(stream)
        except _LEFT:
            return  # the client left
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.ECONNRESET):
                raise
        finally:
            self._connections -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        client = stream.socket.getpeername()[0]
        if self._tls is None:
            await _Conversation(self, self._router, stream, client).run()
            return
        secured = trio.SSLStream(stream, self._tls.door, server_side=True, https_compatible=True)
        with trio.move_on_after(REQUEST_S) as scope:
            await secured.do_handshake()
        if scope.cancelled_caught:
            self.refused["handshake"] += 1
        else:
            await _Conversation(self, self._router, secured, client).run()


class _Conversation:
    """One connection."""

    def __init__(self, server: AdminServer, router: Router, stream: trio.abc.Stream, client: str) -> None:
        self._server = server
        self._router = router
        self._stream = stream
        self._buffer = b""
        self._client = client

    async def run(self) -> None:
        while True:
            try:
                head, body = None, b""
                if not await self._something():
                    return
                with trio.fail_after(REQUEST_S):
                    head = await self._head()
                    if head is None:
                        return
                    body = await self._body(head)
            except trio.TooSlowError:
                await self._refuse(text(408, "the request did not come in time\n"), "timeout")
                return
            except BadMessage as error:
                await self._refuse(text(error.status, f"{error}\n"), error.reason.name.lower())
                return
            except _BodyRefused as error:
                await self._refuse(error.response, "body")
                return
            response = await self._answer(head, body)
            keep_alive = head.keep_alive and isinstance(response.body, bytes)
            await self._send(response, keep_alive=keep_alive, with_body=head.method != b"HEAD")
            if not keep_alive:
                return

    async def _refuse(self, response: Response, reason: str) -> None:
        self._server.refused[reason] += 1
        await self._send(response, keep_alive=False, with_body=True)

    async def _something(self) -> bool:
        """Wait for the first byte of a request; False where none comes."""
        if self._buffer:
            return True
        with trio.move_on_after(IDLE_S):
            self._buffer = bytes(await self._stream.receive_some(16_384))
        return bool(self._buffer)

    async def _head(self) -> RequestHead | None:
        while (head := parse_request(self._buffer, _LIMITS)) is None:
            data = await self._stream.receive_some(16_384)
            if not data:
                return None
            self._buffer += data
        self._buffer = self._buffer[head.size :]
        return head

    async def _body(self, head: RequestHead) -> bytes:
        if head.body == CHUNKED:
            raise _BodyRefused(text(411, "say Content-Length\n"))
        if head.body > BODY_BYTES:
            raise _BodyRefused(text(413, f"at most {BODY_BYTES} bytes\n"))
        if head.expect_continue and len(self._buffer) < head.body:
            await self._stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self._buffer) < head.body:
            data = await self._stream.receive_some(16_384)
            if not data:
                raise trio.BrokenResourceError
            self._buffer += data
        body, self._buffer = self._buffer[: head.body], self._buffer[head.body :]
        return body

    async def _answer(self, head: RequestHead, body: bytes) -> Response:
        request = Request(
            method=head.method.decode("ascii", "replace"),
            target=head.target.decode("latin-1"),
            host=head.host.decode("latin-1"),
            body=body,
        )
        route = self._router.find(request)
        if isinstance(route, Response):
            return route
        if route.level is None:
            return await route.handler(request)
        values = _values(head)
        if not self._server.logins.has_users and not is_near_host(request.host):
            # A page from elsewhere may make its own name resolve to 127.0.0.1 and have the browser ask here.
            self._server.refused["host"] += 1
            return text(403, "without users, ask for localhost or 127.0.0.1\n")
        if request.method == "POST" and not is_same_origin(
            request.host, _text(values.get(b"origin")), _text(values.get(b"referer"))
        ):
            self._server.refused["origin"] += 1
            return text(403, "this was sent from a page of another origin\n")
        try:
            caller = await self._server.logins.caller(self._client, values.get(b"authorization"))
        except TooManyAttempts as error:
            self._server.refused["logins"] += 1
            return text(429, f"{error}\n", {"Retry-After": str(int(error.pause_s) + 1)})
        if caller.level is None:
            return text(401, "hapair: a name and a password are needed, one of admin.users in the file\n", _CHALLENGE)
        if route.level == "admin" and caller.level != "admin":
            return text(403, "this is for those of level admin\n")
        acting.set(f"{caller.name} from {self._client}")
        return await route.handler(_by(request, caller))

    async def _send(self, response: Response, *, keep_alive: bool, with_body: bool) -> None:
        head = head_of(response, keep_alive=keep_alive)
        if isinstance(response.body, bytes):
            await self._send_in_time(head + response.body if with_body else head)
            return
        async with aclosing(response.body) as pieces:
            await self._send_in_time(head)
            if with_body:
                async for piece in pieces:
                    await self._send_in_time(piece)

    async def _send_in_time(self, data: bytes) -> None:
        with trio.move_on_after(SEND_S) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            self._server.refused["slow_reader"] += 1
            raise trio.BrokenResourceError


class _BodyRefused(Exception):  # noqa: N818 - named for what happened
    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def _by(request: Request, caller: Caller) -> Request:
    return Request(
        method=request.method,
        target=request.target,
        host=request.host,
        body=request.body,
        caller=caller.name,
        is_admin=caller.level == "admin",
    )


def _values(head: RequestHead) -> dict[bytes, bytes]:
    """The fields that matter here, by name in lower case; of several the last."""
    found = {}
    for line in head.fields.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found[name.lower()] = value.strip(b" \t\r")
    return found


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
