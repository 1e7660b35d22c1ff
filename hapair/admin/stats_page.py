"""HAProxy's statistics by HTTP: `/haproxy?stats;csv` and its kind, and the forms that are posted there."""

import logging
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs

from hapair.admin.haproxy_info import span
from hapair.admin.haproxy_rows import Row
from hapair.admin.operator import Operator, act_on_all
from hapair.admin.router import Handler, Request, Response, Route, text
from hapair.admin.stats_formats import csv, to_json
from hapair.admin.surfaces import Surfaces

log = logging.getLogger(__name__)

PATHS: Final = ("/haproxy", "/stats", "/stats/", "/")
"""HAProxy's own, the one of its examples and of Zabbix' template (Telegraf puts `/;csv` behind it), ours."""
_MOST_FIELDS: Final = 1024
_SCOPE_LENGTH: Final = 20


class StatsPage:
    """Statistics and actions. `page` answers who asks for neither CSV nor JSON; without it they are told of both."""

    def __init__(self, surfaces: Surfaces, operator: Operator, page: Handler | None = None) -> None:
        self._surfaces = surfaces
        self._operator = operator
        self._page = page or _hint

    def routes(self) -> list[Route]:
        """At `/haproxy`, as HAProxy has it where nothing else is said, and elsewhere."""
        return [Route(path=path, handler=self.answer, methods=("GET", "HEAD", "POST")) for path in PATHS]

    async def answer(self, request: Request) -> Response:
        """By the options behind the path, wherever they stand in it."""
        if request.method == "POST":
            return self._act(request)
        if ";csv" in request.options:
            return Response(body=csv(self._rows(request)).encode(), content_type="text/plain")
        if ";json" in request.options:
            return Response(body=to_json(self._rows(request)).encode(), content_type="application/json")
        page = await self._page(request)
        if request.path == "/" or not isinstance(page.body, bytes):
            return page
        return replace(page, body=page.body + self._sign())

    def _sign(self) -> bytes:
        """What Zabbix' template looks for in HAProxy's page, out of people's sight."""
        node = self._surfaces.look()
        words = f"HAProxy version hapair {node.hapair}, up {span(int(node.uptime_s))}"
        return f"<!-- for monitoring: {words} -->\n".encode()

    def _rows(self, request: Request) -> list[Row]:
        _, rows = self._surfaces.rows()
        options = request.options.replace("?", ";").replace("&", ";").split(";")
        if "up" in options:
            rows = [row for row in rows if not str(row["status"]).startswith("DOWN")]
        scope = next((one.removeprefix("scope=") for one in options if one.startswith("scope=")), "")[:_SCOPE_LENGTH]
        return [row for row in rows if scope in str(row["pxname"])]

    def _act(self, request: Request) -> Response:
        status = self._do(request) if request.is_admin else "DENY"
        stats = "?stats" if request.options.startswith("?stats") else ""
        return Response(status=303, headers={"Location": f"{request.path}{stats};st={status}"})

    def _do(self, request: Request) -> str:
        try:
            fields = parse_qs(request.body.decode("ascii"), max_num_fields=_MOST_FIELDS)
        except ValueError:
            return "ERRP"
        action, pool = fields.get("action", [""])[-1], self._pool_named(fields.get("b", [""])[-1])
        status = act_on_all(self._operator, action, pool, fields.get("s", []), by=f"{request.caller} (statistics page)")
        if status != "DONE":  # what is done is an event
            asked = {"user": request.caller, "action": action, "pool": pool, "status": status}
            log.warning("statistics page: not all of it is done", extra=asked)
        return status

    def _pool_named(self, name: str) -> str:
        """By name, or `#` and its number."""
        if not name.startswith("#"):
            return name
        _, rows = self._surfaces.rows()
        return next(
            (str(row["pxname"]) for row in rows if row["svname"] == "BACKEND" and f"#{row['iid']}" == name), name
        )


async def _hint(request: Request) -> Response:
    return text(200, "hapair: statistics are at /haproxy?stats;csv and /haproxy?stats;json, metrics at /metrics\n")
