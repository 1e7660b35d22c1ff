"""The stats page by HTTP: the document, its style and modules, its events, an hour of history, and what can be done.

    /                       the document (by hapair/admin/stats_page.py, which shares the path with HAProxy's surfaces)
    /page/VERSION/NAME      style and modules; what has another content has another VERSION
    /page/events            Server-Sent Events
    /page/history?frontend= samples of the last hour, as they lie in memory
    /page/server            POST: what is to become of a server
    /page/handover ...      POST: what is to become of the pair, see hapair/admin/page_pair.py

Nothing is put into the document but names of files: what is known comes by events, and the modules write it as text.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

from hapair.admin.history import FIELDS
from hapair.admin.live import Live, TooManyViewers
from hapair.admin.operator import Operator, act
from hapair.admin.page_pair import PairActions, Story, answer
from hapair.admin.router import Request, Response, Route, text

TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_FOR_EVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
ACTIONS: Final = ("ready", "drain", "maint")
HEAVIEST: Final = 256


class Page:
    """Of one node. `refresh` is called when something was changed, so that everybody sees it at once."""

    def __init__(
        self,
        live: Live,
        operator: Operator,
        pair: Mapping[str, Story],
        *,
        refresh: Callable[[], object],
    ) -> None:
        """`pair`: what can be done to the pair (hapair.admin.page_pair)."""
        self._live = live
        self._operator = operator
        self._pair = PairActions(pair, refresh=refresh)
        self._refresh = refresh

    def routes(self) -> list[Route]:
        """But for the document itself."""
        version, content = assets()
        return [
            *(Route(path=f"/page/{version}/{name}", handler=_asset(name)) for name in content),
            Route(path="/page/events", handler=self.events),
            Route(path="/page/history", handler=self.history),
            Route(path="/page/server", handler=self.server, level="admin", methods=("POST",)),
            *self._pair.routes(),
        ]

    async def document(self, request: Request) -> Response:
        """The same for everybody."""
        return Response(
            body=document(), content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY}
        )

    async def events(self, request: Request) -> Response:
        """For as long as somebody looks."""
        hello = {
            "version": assets()[0],
            "user": request.caller,
            "admin": request.is_admin,
            "pair": self._pair.names,
            "fields": FIELDS,
        }
        try:
            return Response(body=self._live.watch(hello), content_type="text/event-stream")
        except TooManyViewers:
            return text(503, "too many look at this page already\n", {"Retry-After": "10"})

    async def history(self, request: Request) -> Response:
        """Samples of one series: numbers of four bytes, the lowest first; `History-End` is the second of the last."""
        name = parse_qs(request.options.removeprefix("?"), keep_blank_values=True).get("frontend", [""])[-1]
        series, second = self._live.history.series.get(name), self._live.history.second
        if series is None or second is None:
            return text(404, "there is no such history\n")
        samples = series.samples()
        if sys.byteorder == "big":
            samples.byteswap()
        end = {"History-End": str(second)}
        return Response(body=samples.tobytes(), content_type="application/octet-stream", headers=end)

    async def server(self, request: Request) -> Response:
        """`{"pool": "web", "server": "web1", "action": "drain"}`, or `"weight": 5`, or null for the file's."""
        try:
            wanted = json.loads(request.body)
            words = self._change(wanted, f"{request.caller} (stats page)")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return answer(ok=False, words=_why(error), status=400)
        self._refresh()
        return answer(ok=True, words=words)

    def _change(self, wanted: Any, by: str) -> str:
        """Raises KeyError where there is no such server, ValueError where it cannot be done."""
        pool, server = wanted["pool"], wanted["server"]
        if not isinstance(pool, str) or not isinstance(server, str):
            raise ValueError("pool and server are names")
        if "weight" in wanted:
            weight = wanted["weight"]
            if weight is not None and (type(weight) is not int or not 0 <= weight <= HEAVIEST):
                raise ValueError(f"a weight is a whole number from 0 to {HEAVIEST}")
            self._operator.weigh(pool, server, weight)
            return f"{pool}/{server} has {'the weight of the file' if weight is None else f'weight {weight}'}"
        action = wanted["action"]
        if action not in ACTIONS:
            raise ValueError(f"an action is one of {', '.join(ACTIONS)}")
        act(self._operator, action, pool, server, by=by)
        return f"{pool}/{server} is {action.upper()}"


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]}" if error.args and isinstance(error.args[0], str) else "no such server"
    return str(error)


@cache
def assets() -> tuple[str, Mapping[str, bytes]]:
    """Style and modules by name, and the version of all of them."""
    folder = files("hapair.admin").joinpath("assets")
    found = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.endswith(tuple(TYPES))}
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + found[name] + b"\0")
    return digest.hexdigest()[:12], found


def _asset(name: str) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        kind = TYPES[name[name.rindex(".") :]]
        return Response(body=assets()[1][name], content_type=kind, headers=_FOR_EVER)

    return answer


@cache
def document() -> bytes:
    """The page, with the version of its assets filled in."""
    version, found = assets()
    page = files("hapair.admin").joinpath("assets", "page.html").read_text(encoding="utf-8")
    modules = sorted(name for name in found if name.endswith(".js") and name != "main.js")
    preload = "\n".join(f'<link rel="modulepreload" href="/page/{version}/{name}">' for name in modules)
    return page.replace("{{version}}", version).replace("{{preload}}", preload).encode()
