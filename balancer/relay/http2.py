"""HTTP/2 connections (RFC 9113): each stream is served by the relay of HTTP/1.1 over a stream of its own.

    serve           a client that knows beforehand begins with the preface; any other one speaks HTTP/1.1
    Connection      one task reads and hands out events, one writes whatever there is to send

    reader --events--> VirtualStream <--> relay/http.py <--> a server
    writer <--frames-- session       <--------'

HTTP/2 over TLS is agreed upon by ALPN; who has done so calls `serve_http2`. Upgrade: h2c is obsolete (RFC 9113 section
3.1), and not taken up.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from balancer.config_http2 import Http2
from balancer.failures import DeadlineExpired, Disconnected, StreamFailure
from balancer.http2.errors import Reason, Violation
from balancer.http2.events import Acknowledged, Event, Opened, Reset
from balancer.http2.frames import PREFACE
from balancer.http2.session import Session
from balancer.relay import http, http2_offences
from balancer.relay.http2_stream import VirtualStream
from balancer.service import FrontendService
from balancer.slots import TIMEOUTS
from balancer.streams import Stream
from balancer.task import PARK, Task

DRAIN_S = 1.0
"""How long a client has to answer the PING that follows the first GOAWAY."""
_PING = b"draining"


async def serve(service: FrontendService, downstream: Stream) -> None:
    """Serve one client connection of either version to its end."""
    received = await _beginning(service, downstream)
    if received.startswith(PREFACE):
        await serve_http2(service, downstream, received)
    elif received:
        await http.serve(service, downstream, received)


async def _beginning(service: FrontendService, stream: Stream) -> bytes:
    """Enough to tell the two versions apart; b"" where the client sends nothing."""
    timeouts = service.config.timeouts
    stream.deadline = stream.reactor.now + timeouts.header_s
    stream.idle = True
    if service.stopping:
        return b""
    try:
        received = await stream.receive()
    except DeadlineExpired:
        return b""
    except Disconnected:
        if not stream.closed:
            raise
        return b""  # while draining: idle connections are just closed
    finally:
        stream.idle = False
    stream.deadline = stream.reactor.now + timeouts.header_s
    while received and len(received) < len(PREFACE) and PREFACE.startswith(received):
        try:
            more = await stream.receive()
        except DeadlineExpired:
            return received  # no HTTP/1.1 either, which is for the other relay to say
        if not more:
            return received
        received += more
    return received


async def serve_http2(service: FrontendService, downstream: Stream, received: bytes = b"") -> None:
    """Serve one HTTP/2 connection to its end."""
    config = service.config.http2
    assert config is not None
    await Connection(service, downstream, config).run(received)


class _StreamTask(Task[None]):
    """Serves one stream."""

    __slots__ = ("_connection", "stream_id", "virtual")

    def __init__(self, connection: Connection, opened: Opened) -> None:
        virtual = VirtualStream(connection, opened)
        super().__init__(connection.reactor, _serve_stream(connection.service, virtual, opened.head))
        self.stream_id = opened.stream_id
        self.virtual = virtual
        self._connection = connection

    def finish(self, error: BaseException | None) -> None:
        if error is None:
            self.virtual.close()
        else:
            self.virtual.abort()
        self._connection.ended(self)
        super().finish(error)


async def _serve_stream(service: FrontendService, virtual: VirtualStream, head: bytes) -> None:
    await http.serve(service, virtual, head)
    virtual.shutdown()
    virtual.deadline = virtual.reactor.now + service.config.timeouts.idle_s
    await virtual.until_sent()


class Connection:
    """One client connection and its streams."""

    def __init__(self, service: FrontendService, stream: Stream, config: Http2) -> None:
        self.service = service
        self.stream = stream
        self.reactor = stream.reactor
        now = self.reactor.now
        self.session = Session(config, now)
        self._tasks: dict[int, _StreamTask] = {}
        self._main = self.reactor.current
        self._writer: Task[None]
        self._writing = False
        """The writer waits for the client to take what it is sent."""
        self._over = False
        """Nothing more is wanted of the client: send what there is, and close."""
        self._settings_by = now + config.settings_s
        self._partial_since = now
        self._idle_since = now
        self._drain_by = inf

    @property
    def stream_tasks(self) -> Iterable[Task[None]]:
        """Those that serve the streams that are open."""
        return self._tasks.values()

    async def run(self, received: bytes) -> None:
        """Until the client ends it, or an error does, or the last stream after a GOAWAY has ended."""
        self._writer = self.reactor.spawn(self._write())
        self._main.adopt(self._writer)
        self.service.told_of_drain.add(self.drain)
        if self.service.draining:
            self.drain()
        try:
            await self._read(received)
        except Violation as violation:
            http2_offences.note(self.service, self.stream, violation.reason, violation.text)
        finally:
            self.service.told_of_drain.discard(self.drain)
            self._over = True
            await self._lose_streams()
        await self._say_goodbye()

    async def _read(self, data: bytes) -> None:
        while data or not self._over:
            if data:
                self._take(data)
            while self.session.sender.congested:
                await PARK  # a client that asks for more than it takes: the writer wakes us
            self._settle()
            try:
                data = await self.stream.receive()
            except DeadlineExpired:
                if self._over or self._is_over_late():
                    return
                data = b""
            else:
                if not data:
                    return

    def _take(self, data: bytes) -> None:
        was_partial = self.session.partial
        try:
            for event in self.session.receive(data, self.reactor.now):
                self._handle(event)
        finally:
            self.flush()
        if not was_partial and self.session.partial:
            self._partial_since = self.reactor.now

    def _handle(self, event: Event) -> None:
        if isinstance(event, Opened):
            self._open(event)
        elif isinstance(event, Acknowledged):
            if event.payload == _PING and self._drain_by != inf:
                self._go_away()
        else:
            task = self._tasks.get(event.stream_id)
            if isinstance(event, Reset):
                if event.reason is not None:
                    http2_offences.note(self.service, self.stream, event.reason, event.reason.text)
                if task is not None:
                    task.virtual.lose()
            elif task is not None:
                task.virtual.take_body(event)

    def _open(self, opened: Opened) -> None:
        if opened.stream_id not in self.session.streams:
            return  # what came with it has ended it already
        task = _StreamTask(self, opened)
        self._tasks[opened.stream_id] = task
        self._main.adopt(task)
        self.reactor.start(task)

    def ended(self, task: _StreamTask) -> None:
        """A stream has been served (called by its task)."""
        del self._tasks[task.stream_id]
        if not self._tasks:
            self._idle_since = self.reactor.now
            self._settle()
            self._main.wake()

    def drain(self) -> None:
        """Say that the end is near; when the client knows it, say which stream was the last (RFC 9113 section 6.8)."""
        if self._drain_by == inf and not self.session.going_away:
            self._drain_by = self.reactor.now + DRAIN_S
            self.session.go_away(last=False)
            self.session.ping(_PING)
            self.flush()
            self._settle()
            self._main.wake()

    def _go_away(self) -> None:
        self._drain_by = inf
        self.session.go_away(last=True)
        self.flush()
        self._settle()

    def flush(self) -> None:
        """Have the writer look for something to send."""
        self._writer.wake()

    async def _write(self) -> None:
        """One task writes, in batches: what many streams have to send goes out together."""
        stream, session = self.stream, self.session
        try:
            while True:
                data, drained = session.take()
                for state in drained:
                    if (task := self._tasks.get(state.stream_id)) is not None:
                        task.virtual.sent()
                if not data:
                    await PARK
                    continue
                sent = stream.try_send(data)
                if sent < len(data):
                    self._writing = True
                    self._settle()
                    await stream.send_all(memoryview(data)[sent:])
                    self._writing = False
                    self._settle()
                    self._main.wake()
                if self.reactor.overdue():
                    await self.reactor.pause()
        except StreamFailure as failure:
            self._writing = False
            self._main.interrupt(failure)

    def _settle(self) -> None:
        """By when the client has to do something."""
        now, timeouts = self.reactor.now, self.service.config.timeouts
        if self._over or (self.session.going_away and not self._tasks):
            self._over = True
            self.stream.deadline = now if not self._writing else now + timeouts.idle_s
        elif self._writing:
            self.stream.deadline = now + timeouts.idle_s
        else:
            self.stream.deadline = min(self._due())

    def _due(self) -> tuple[float, float, float, float]:
        """Settings, a whole frame, another request, the answer to our PING."""
        timeouts, session = self.service.config.timeouts, self.session
        return (
            inf if session.settings_acknowledged else self._settings_by,
            self._partial_since + timeouts.header_s if session.partial else inf,
            inf if self._tasks else self._idle_since + timeouts.keep_alive_s,
            self._drain_by,
        )

    def _is_over_late(self) -> bool:
        """A deadline has passed. False where the connection goes on."""
        now = self.reactor.now
        settings_by, whole_by, request_by, drain_by = self._due()
        if settings_by <= now:
            self.service.counters.add(TIMEOUTS)
            self.session.fail(Reason.SETTINGS_TIMEOUT)
        elif drain_by <= now:
            self._go_away()
            return self._over
        elif whole_by <= now or self._writing:
            self.service.counters.add(TIMEOUTS)
            self.session.go_away(last=True)
        elif request_by <= now:
            self.session.go_away(last=True)
        else:
            return False
        self.flush()
        return True

    async def _lose_streams(self) -> None:
        """No answer can reach the client any more: end what is being done for it, and wait for that."""
        for task in tuple(self._tasks.values()):
            task.virtual.lose()
        while self._tasks:
            await PARK

    async def _say_goodbye(self) -> None:
        """Send what is left, a GOAWAY mostly, and let the client read it."""
        self.stream.deadline = self.reactor.now + http.LINGER_S
        while self._writing or self.session.sender.has_control:
            self.flush()
            await (PARK if self._writing else self.reactor.pause())
        await http.linger(self.stream)
