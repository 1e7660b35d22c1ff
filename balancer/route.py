"""What becomes of a request: the first route whose conditions all hold, made ready to be carried out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from balancer import answers
from balancer.answers import Answer, Files, Page
from balancer.config import Frontend
from balancer.config_headers import HeaderRules
from balancer.config_routes import Conditions, Route
from balancer.edits import Edits, Rewrite, edits, rewrite
from balancer.http1.request import RequestHead
from balancer.matching import Matcher, name_of
from balancer.placeholders import Asker

ACME_PATH = b"/.well-known/acme-challenge/"

Responses = tuple[Edits | None, Edits | None]
"""What is done to responses: to a client without TLS, to one with."""


class CompiledRoute:
    """One route, ready: whom it is for, and what is done. Without `answer` and `challenges` it leads to `pool`."""

    __slots__ = ("answer", "challenges", "matcher", "pool", "request", "response", "rewrite")

    def __init__(
        self,
        conditions: Conditions | None = None,
        *,
        unless: Sequence[Conditions] = (),
        pool: str | None = None,
        answer: Answer | None = None,
        challenges: str | None = None,
        request: Edits | None = None,
        response: Responses = (None, None),
        rewritten: Rewrite | None = None,
    ) -> None:
        self.matcher = Matcher(conditions or Conditions(), unless)
        self.pool = pool
        self.answer = answer
        self.challenges = challenges
        """The folder where the answer to an ACME challenge lies."""
        self.request = request
        self.response = response
        self.rewrite = rewritten


class RouteTable:
    """The routes of one frontend in order, its own ones first, and what its requests and responses undergo."""

    __slots__ = ("_config", "_routes", "default", "initial", "is_plain", "pages", "request_id")

    def __init__(self, config: Frontend, files: Files | None = None) -> None:
        """`files`: the text of those that the configuration names. Raises ValueError where one is missing."""
        files = files or {}
        self._config = config
        self.pages: Mapping[int, Page] = {
            int(status): answers.page(files, name) for status, name in config.error_pages.items()
        }
        """By status: what is shown with an error of ours."""
        self.request_id = None if config.request_id is None else config.request_id.header.encode("ascii")
        """The header that carries the id of a request; None: nobody asks for one."""
        self._routes = (*self._own(files), *(self._compiled(route, files) for route in config.routes))
        response = self._response()
        self.default = (
            None if config.pool is None else CompiledRoute(pool=config.pool, request=self._request(), response=response)
        )
        """Where no route matches; None: nowhere."""
        self.initial = None if response == (None, None) else CompiledRoute(response=response)
        """Stands in before a route was chosen: for errors that are told before that. None: nothing is done to them."""
        self.is_plain = not (
            self._routes or self._request() or self.initial or config.http.underscores != "pass" or not config.pool
        )
        """Every request goes to the default pool, and nothing is done to it nor to its response."""

    def choose(self, head: RequestHead, asker: Asker) -> CompiledRoute | None:
        """The first route that matches; None where there is none, and no default pool."""
        host, path = name_of(head.host), head.target.partition(b"?")[0]
        for route in self._routes:
            if route.matcher.matches(host, path, head, asker):
                return route
        return self.default

    def _own(self, files: Files) -> list[CompiledRoute]:
        """What comes before all routes."""
        config, found = self._config, []
        if config.acme is not None:
            path = Conditions(path=(f"{ACME_PATH.decode('ascii')}*",))
            request = self._request() if config.acme.pool is not None else None
            found.append(
                CompiledRoute(
                    path,
                    pool=config.acme.pool,
                    challenges=config.acme.directory,
                    request=request,
                    response=self._response(),
                )
            )
        if config.maintenance is not None:
            answer = answers.maintenance(config.maintenance, files)
            found.append(CompiledRoute(answer=answer, response=self._response()))
        return found

    def _compiled(self, route: Route, files: Files) -> CompiledRoute:
        return CompiledRoute(
            route,
            unless=route.unless,
            pool=route.pool,
            answer=self._answer(route, files),
            request=self._request(route.request),
            response=self._response(route.response),
            rewritten=None if route.rewrite_path is None else rewrite(route.rewrite_path),
        )

    def _answer(self, route: Route, files: Files) -> Answer | None:
        if route.redirect is not None:
            return answers.redirect(route.redirect)
        if route.respond is not None:
            return answers.respond(route.respond, files)
        return None if route.deny is None else answers.deny(route.deny, self.pages.get(route.deny))

    def _request(self, *further: HeaderRules) -> Edits | None:
        config = self._config
        own = [] if config.request_id is None else [HeaderRules(set_headers={config.request_id.header: "{request_id}"})]
        return edits((*own, config.request, *further), of_requests=True)

    def _response(self, *further: HeaderRules) -> Responses:
        config = self._config
        plain = edits((config.response, *further), of_requests=False)
        if config.hsts is None:
            return plain, plain
        own = HeaderRules(set_headers={"Strict-Transport-Security": config.hsts.value})
        return plain, edits((own, config.response, *further), of_requests=False)
