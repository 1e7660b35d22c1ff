"""Routes and rules for any input: what covers covers, and what is edited is read again as the same message."""

import re

from hypothesis import given
from hypothesis import strategies as st

from balancer import answers
from balancer.config import HttpLimits
from balancer.config_headers import HeaderRules, RewritePath
from balancer.config_routes import Conditions, Redirect, Respond, Route
from balancer.covering import covers, takes_everything
from balancer.edits import edits, rewrite, rewritten
from balancer.http1.errors import BadMessage
from balancer.http1.forward import RequestForwarder, forward_response
from balancer.http1.forwarded import Origin
from balancer.http1.request import RequestHead, parse_request
from balancer.http1.response import parse_response
from balancer.matching import Matcher, name_of
from balancer.placeholders import IN_REQUESTS, IN_RESPONSES
from tests.unit.balancer.asking import FixedAsker

LIMITS = HttpLimits()
FORWARDER = RequestForwarder(Origin("192.0.2.1", "http", 80), b"here")

# Few letters, so that conditions and requests meet often.
HOSTS = st.sampled_from(["a", "b.a", "c.b.a", "*.a", "*.b.a", "*", "~^b", "~a$"])
PATHS = st.sampled_from(["/", "/a", "/a/b", "/a/*", "/*", "/a*", "/*/b", "/?", "/*/b/*", "~^/a", "~b$"])
TEXT = st.sampled_from(["1", "12", "*", "1*", "*2", "?", "~1", "~^1$"])
NETWORKS = st.sampled_from(["0.0.0.0/0", "192.0.2.0/24", "192.0.2.0/28", "192.0.2.7/32", "::/0"])
CONDITIONS = {
    "host": st.lists(HOSTS, max_size=2).map(tuple),
    "path": st.lists(PATHS, max_size=2).map(tuple),
    "method": st.lists(st.sampled_from(["GET", "POST"]), max_size=2).map(tuple),
    "header": st.dictionaries(st.sampled_from(["X", "x"]), TEXT, max_size=1),
    "query": st.dictionaries(st.sampled_from(["v", "w"]), TEXT, max_size=2),
    "client": st.lists(NETWORKS, max_size=2).map(tuple),
    "sni": st.lists(HOSTS, max_size=1).map(tuple),
}
EXCEPTIONS = st.builds(Conditions, **CONDITIONS).filter(lambda one: one != Conditions())
ROUTES = st.builds(Route, pool=st.just("p"), unless=st.lists(EXCEPTIONS, max_size=1).map(tuple), **CONDITIONS)
ASKERS = st.builds(
    FixedAsker,
    address=st.sampled_from(["192.0.2.7", "192.0.2.200", "10.0.0.1", "2001:db8::1"]),
    sni=st.sampled_from([None, "a", "b.a"]),
)


@st.composite
def requests(draw: st.DrawFn) -> RequestHead:
    method = draw(st.sampled_from(["GET", "POST"]))
    path = draw(st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/b", "/a/x/b", "/%61"]))
    query = draw(st.sampled_from(["", "?v=1", "?v=12&w=1", "?w"]))
    host = draw(st.sampled_from(["a", "b.a", "c.b.a", "B.A:80", "d"]))
    lines = draw(st.sampled_from(["", "X: 1\r\n", "x: 12\r\nX: 2\r\n"]))
    head = parse_request(f"{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode(), LIMITS)
    assert head is not None
    return head


def matches(route: Route, head: RequestHead, asker: FixedAsker) -> bool:
    return Matcher(route, route.unless).matches(name_of(head.host), head.target.partition(b"?")[0], head, asker)


@given(ROUTES, ROUTES, st.lists(st.tuples(requests(), ASKERS), min_size=1, max_size=20))
def test_what_covers_another_matches_all_that_the_other_does(
    earlier: Route, later: Route, asked: list[tuple[RequestHead, FixedAsker]]
) -> None:
    if covers(earlier, later):
        assert all(matches(earlier, head, asker) for head, asker in asked if matches(later, head, asker))


@given(ROUTES, requests(), ASKERS)
def test_what_takes_everything_matches_everything(route: Route, head: RequestHead, asker: FixedAsker) -> None:
    assert not takes_everything(route) or matches(route, head, asker)


@given(ROUTES)
def test_a_route_covers_itself(route: Route) -> None:
    assert covers(route, route)


NAMES = st.sampled_from(["X-A", "x-a", "X_B", "Via", "Cookie", "X-Forwarded-For", "Set-Cookie", "Host"])
BRACED = {"{": "{{", "}": "}}"}
LITERALS = st.text(min_size=0, max_size=8).map(lambda text: "".join(BRACED.get(char, char) for char in text))


def rules(placeholders: frozenset[str], names: st.SearchStrategy[str]) -> st.SearchStrategy[HeaderRules | None]:
    values = st.one_of(LITERALS, st.sampled_from(sorted(placeholders)).map(lambda name: f"a{{{name}}}b"))
    return st.builds(
        made,
        set_headers=st.dictionaries(names, values, max_size=2),
        add_headers=st.dictionaries(names.filter(lambda name: name != "Host"), values, max_size=2),
        remove_headers=st.lists(names.filter(lambda name: name != "Host"), max_size=2).map(tuple),
    )


def made(**fields: object) -> HeaderRules | None:
    try:
        return HeaderRules(**fields)  # type: ignore[arg-type]
    except ValueError:
        return None


HEADS = st.lists(st.tuples(NAMES.filter(lambda name: name != "Host"), st.text("ab:_ -", max_size=6)), max_size=5)


def request_bytes(target: str, lines: list[tuple[str, str]], more: str = "") -> bytes:
    text = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"POST {target} HTTP/1.1\r\nHost: a\r\n{text}{more}\r\n".encode()


FRAMING = st.sampled_from(["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 5, 5\r\n"])


@given(rules(IN_REQUESTS, NAMES), HEADS, FRAMING)
def test_an_edited_request_is_the_same_request(
    wanted: HeaderRules | None, lines: list[tuple[str, str]], framing: str
) -> None:
    head = parse_request(request_bytes("/x?y", lines, framing), LIMITS)
    change = None if wanted is None else edits((wanted,), of_requests=True)
    if head is None or change is None or wanted is None:
        return
    sent = change.apply(FORWARDER.forward(head), FixedAsker(), head)
    again = parse_or_none(sent)
    if again is None:
        assert "host" in {name.lower() for name in wanted.set_headers}, sent  # a Host can be set to what is none
        return
    assert (again.method, again.target, again.body, again.size) == (head.method, head.target, head.body, len(sent))
    gone = {name.lower() for name in wanted.remove_headers} - {name.lower() for name in wanted.set_headers}
    for name in gone - {name.lower() for name in wanted.add_headers}:
        assert not re.search(rb"(?i)\n" + re.escape(name.encode()) + rb":", sent)


def parse_or_none(data: bytes) -> RequestHead | None:
    try:
        return parse_request(data, HttpLimits(head_bytes=65_536))
    except BadMessage:
        return None


@given(rules(IN_RESPONSES, NAMES), HEADS, FRAMING, requests())
def test_an_edited_response_is_the_same_response(
    wanted: HeaderRules | None, lines: list[tuple[str, str]], framing: str, asked: RequestHead
) -> None:
    text = "".join(f"{name}: {value}\r\n" for name, value in lines)
    response = parse_response(f"HTTP/1.1 200 OK\r\n{text}{framing}\r\n".encode(), b"GET")
    change = None if wanted is None else edits((wanted,), of_requests=False)
    if response is None or change is None:
        return
    data = forward_response(response, minor=1, chunked=response.body < 0, keep_alive=True)
    sent = change.apply(data, FixedAsker(), asked)
    again = parse_response(sent, b"GET")
    assert again is not None
    assert (again.status, again.size) == (200, len(sent))
    assert again.body == (response.body if response.body >= 0 else -1)


REWRITES = st.one_of(
    st.builds(RewritePath, strip=st.sampled_from(["/a", "/a/b", "/a/"])),
    st.builds(RewritePath, replace=st.sampled_from(["/a", "/b"]), by=st.sampled_from(["/", "/c", "/c?d=1", "//e"])),
    st.builds(
        RewritePath,
        regex=st.sampled_from(["a", "^/(a*)", "/+", "(.)(.)$", "^.*$"]),
        by=st.sampled_from(["", "/", "b", "?", "x?y="]),
    ),
)
TARGETS = st.text("abc/?&=%._~-", max_size=12).map(lambda text: f"/{text}")


@given(REWRITES, TARGETS, FRAMING)
def test_a_rewritten_request_is_well_formed(config: RewritePath, target: str, framing: str) -> None:
    head = parse_request(request_bytes(target, [("X-A", "1")], framing), LIMITS)
    assert head is not None
    changed = rewritten(head, rewrite(config))
    again = parse_request(FORWARDER.forward(changed), LIMITS)
    assert again is not None
    assert again.target == changed.target
    assert changed.target.startswith(b"/")
    assert again.body == head.body
    query = head.target.partition(b"?")[2]
    assert changed.target.endswith(query)


@given(st.sampled_from(["{target}", "/x{path}", "https://{hostname}{target}", "/{query}", "{path}?{query}"]), TARGETS)
def test_a_redirect_is_one_response_and_stays_where_it_says(to: str, target: str) -> None:
    head = parse_request(request_bytes(target, []), LIMITS)
    assert head is not None
    sent = answers.redirect(Redirect(to=to)).render(FixedAsker(), head, keep_alive=True, edits=None)
    response = parse_response(sent, b"GET")
    assert response is not None
    assert (response.status, response.body, response.size) == (302, 0, len(sent))
    location = re.findall(rb"\r\nLocation: ([^\r]*)", sent)[0]
    assert not re.match(rb"[/\\]{2}", location)
    assert not to.startswith("https") or location.startswith(b"https://a/")


@given(st.text(max_size=20), st.integers(200, 599), st.dictionaries(NAMES, LITERALS, max_size=2))
def test_a_fixed_answer_is_one_response(body: str, status: int, headers: dict[str, str]) -> None:
    try:
        config = Respond(status=status, body=body, headers=headers)
    except ValueError:
        return
    head = parse_request(request_bytes("/", []), LIMITS)
    assert head is not None
    sent = answers.respond(config, {}).render(FixedAsker(), head, keep_alive=True, edits=None)
    response = parse_response(sent, b"GET")
    assert response is not None
    assert response.status == status
    assert response.size + response.body == len(sent)
