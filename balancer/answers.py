"""Answers of our own, made ready: redirects, fixed responses, refusals by rule, pages of files. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from balancer.config_routes import Maintenance, Redirect, Respond
from balancer.edits import Edits, lines_template
from balancer.http1.replies import ALLOW, phrase_of
from balancer.http1.request import RequestHead
from balancer.placeholders import Asker, Getter, Template, template

Files = Mapping[str, bytes]
"""What stands in the files that answers are made of, by name as it is written."""

PLAIN = "text/plain; charset=utf-8"
_TYPES = {
    "html": "text/html; charset=utf-8",
    "htm": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "xml": "application/xml",
    "svg": "image/svg+xml",
    "png": "image/png",
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "ico": "image/x-icon",
}
_NO_BODY = frozenset((204, 304))


class Page(NamedTuple):
    """The text of a file, and what it is."""

    media_type: bytes
    body: bytes


class Answer:
    """One response, but for what depends on the request: its header lines, whether the connection lives on."""

    __slots__ = ("_body", "_head", "refuses", "status")

    def __init__(self, status: int, lines: Template, body: bytes) -> None:
        self.status = status
        self.refuses = False
        """It denies what was asked for, by a rule."""
        self._body = body
        first = b"HTTP/1.1 %d %b\r\n" % (status, phrase_of(status))
        length = b"" if status in _NO_BODY else b"Content-Length: %d\r\n" % len(body)
        self._head = Template((first, *lines.parts, length))

    def render(self, asker: Asker, head: RequestHead, *, keep_alive: bool, edits: Edits | None) -> bytes:
        """The whole of it, to send to who asked with `head`."""
        data = self._head.render(asker, head)
        if not keep_alive:
            data += b"Connection: close\r\n\r\n"
        elif head.minor:
            data += b"\r\n"
        else:
            data += b"Connection: keep-alive\r\n\r\n"
        if edits is not None:
            data = edits.apply(data, asker, head)
        return data if head.method == b"HEAD" else data + self._body


def page(files: Files, name: str) -> Page:
    """A file's text. Raises ValueError where nobody has read it."""
    if name not in files:
        raise ValueError(f"the file {name} was not read")
    media_type = _TYPES.get(name.rpartition(".")[2].lower(), PLAIN)
    return Page(media_type.encode("ascii"), files[name])


def redirect(config: Redirect) -> Answer:
    """302 and its kind. A path that begins with // would be read as another host: it gets one slash."""
    location = template(config.to)
    elsewhere = "://" in config.to or config.to.startswith("//")
    parts = location.parts if elsewhere else (_here(location),)
    return Answer(config.status, Template((b"Location: ", *parts, b"\r\n")), b"")


def _here(location: Template) -> Getter:
    def here(asker: Asker, head: RequestHead) -> bytes:
        text = location.render(asker, head)
        return b"/" + text.lstrip(b"/\\") if text.startswith(b"/") else text

    return here


def respond(config: Respond, files: Files) -> Answer:
    """An answer that is always the same."""
    if config.body_file is not None:
        media_type, body = page(files, config.body_file)
    else:
        media_type, body = PLAIN.encode("ascii"), (config.body or "").encode("utf-8")
    if config.content_type is not None:
        media_type = config.content_type.encode("ascii")
    lines = list(config.headers.items())
    if body and "content-type" not in {name.lower() for name in config.headers}:
        lines.insert(0, ("Content-Type", _literal(media_type.decode("ascii"))))
    return Answer(config.status, lines_template(lines), body)


def deny(status: int, why: Page | None = None) -> Answer:
    """A refusal by rule, with the frontend's page for it where there is one."""
    allow = [("Allow", ALLOW)] if status == 405 else []
    answer = _short_lived(status, allow, why)
    answer.refuses = True
    return answer


def maintenance(config: Maintenance, files: Files) -> Answer:
    """A page instead of all else."""
    lines = [] if config.retry_after_s is None else [("Retry-After", str(round(config.retry_after_s)))]
    return _short_lived(config.status, lines, None if config.page is None else page(files, config.page))


def text(status: int, media_type: str, body: bytes) -> Answer:
    """A few bytes, made for one request."""
    return _short_lived(status, [], Page(media_type.encode("ascii"), body))


def _short_lived(status: int, lines: list[tuple[str, str]], shown: Page | None) -> Answer:
    """One that no cache is to keep."""
    if shown is None:
        shown = Page(PLAIN.encode("ascii"), b"%d %b\n" % (status, phrase_of(status)))
    media_type = _literal(shown.media_type.decode("ascii"))
    head = [*lines, ("Content-Type", media_type), ("Cache-Control", "no-store")]
    return Answer(status, lines_template(head), shown.body)


def _literal(value: str) -> str:
    return value.replace("{", "{{").replace("}", "}}")
