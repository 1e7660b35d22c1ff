"""POSTs a body to a URL: HTTP/1.1, a connection for each, TLS verified unless told otherwise."""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import trio

from balancer.http1.errors import BadMessage
from balancer.http1.response import ResponseHead, parse_response
from hapair import __version__

_HEAD_LIMIT_BYTES = 65_536
_RECEIVE_BYTES = 16_384


class PostFailed(Exception):  # noqa: N818 - named for what happened
    """In words that hold nothing of the URL but its host. `for_good`: it is of no use to try again."""

    def __init__(self, words: str, *, for_good: bool = False) -> None:
        super().__init__(words)
        self.for_good = for_good


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where to, and how."""

    url: str
    timeout_s: float
    ca_file: str | None = None
    verify: bool = True


async def post(hook: Hook, body: bytes, headers: Mapping[str, str]) -> int:
    """The status, which is from 200 to 299. Raises PostFailed."""
    try:
        with trio.fail_after(hook.timeout_s):
            status = await _post(hook, body, headers)
    except trio.TooSlowError:
        raise PostFailed(f"no answer in {hook.timeout_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise PostFailed(f"its certificate is not trusted: {error.verify_message}") from error
    except trio.BrokenResourceError as error:
        raise PostFailed(_broken(error)) from error
    except BadMessage as error:
        raise PostFailed(f"its answer is no HTTP: {error}") from error
    except OSError as error:  # of any step: names, routes, refusals, files of certificates
        raise PostFailed(_os_words(error)) from error
    if 200 <= status < 300:
        return status
    for_good = 400 <= status < 500 and status not in (401, 403, 404, 408, 425, 429)
    raise PostFailed(f"it answered {status}", for_good=for_good)


def _broken(error: trio.BrokenResourceError) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason or 'it broke'}"
    return "the connection broke"


def _os_words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not resolved"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error.strerror or 'no certificates could be read'}"
    cause = error.__cause__
    if error.errno is None and isinstance(cause, BaseExceptionGroup):  # trio tried each address
        return str(getattr(cause.exceptions[0], "strerror", None) or cause.exceptions[0])
    if error.errno is None and isinstance(cause, OSError):
        return cause.strerror or "it cannot be reached"
    return error.strerror or "it cannot be reached"


async def _post(hook: Hook, body: bytes, headers: Mapping[str, str]) -> int:
    parts = urlsplit(hook.url)
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    context = _context(hook) if is_tls else None
    stream: trio.abc.Stream = await trio.open_tcp_stream(host, parts.port or (443 if is_tls else 80))
    if context is not None:
        assert isinstance(stream, trio.SocketStream)
        stream = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {
            "Host": parts.netloc,
            "User-Agent": f"hapair/{__version__}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        await stream.send_all("\r\n".join(lines).encode("latin-1") + body)
        return (await _answer(stream)).status
    finally:
        await trio.aclose_forcefully(stream)


def _context(hook: Hook) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=hook.ca_file)
    except OSError as error:  # ssl.SSLError is one: no certificate is in it
        raise PostFailed(f"no certificates can be read from {hook.ca_file}") from error
    if not hook.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _answer(stream: trio.abc.Stream) -> ResponseHead:
    """The head of the answer, past what is only interim. The rest is of no interest."""
    buffer = b""
    while True:
        head = parse_response(buffer, b"POST")
        if head is not None and head.status >= 200:
            return head
        if head is not None:
            buffer = buffer[head.size :]
            continue
        data = await stream.receive_some(_RECEIVE_BYTES)
        if not data or len(buffer) > _HEAD_LIMIT_BYTES:
            raise PostFailed("it hung up without an answer" if not data else "its answer is too long")
        buffer += data
