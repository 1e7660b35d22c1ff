"""Whatever is said to the admin surfaces is answered: no exception, and an operator is told of known servers alone."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hapair.admin.haproxy_cli import HaproxyCli, split_commands, split_words
from hapair.admin.live import Live
from hapair.admin.logins import _credentials
from hapair.admin.page import Page
from hapair.admin.rates import Rates
from hapair.admin.router import Request, Response, is_near_host, is_same_origin
from hapair.admin.stats_page import StatsPage
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE

SURFACES = Surfaces(lambda: NODE, Rates(), lambda: 100.0, started_at=0.0)
WORDS = (
    *(
        "show",
        "stat",
        "info",
        "servers",
        "state",
        "conn",
        "set",
        "get",
        "weight",
        "server",
        "maxconn",
        "health",
        "agent",
    ),
    *(
        "enable",
        "disable",
        "clear",
        "counters",
        "help",
        "typed",
        "json",
        "-1",
        "4",
        "256",
        "50%",
        "up",
        "down",
        "drain",
    ),
    *("web", "web/web1", "web/", "/", "nope/web1", "ready", "domain", "proxy", "env", ";", "<<", "\\"),
)
COMMANDS = st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=8).map(" ".join)
CHANGES = ("administer", "weigh", "limit", "health", "watch")


@given(COMMANDS)
def test_every_command_has_an_answer_that_ends_its_line(command: str) -> None:
    operator = Recorder()
    cli = HaproxyCli(SURFACES, operator, {})
    for one in split_commands(command):
        answer = cli.run(one)
        assert answer == "" or answer.endswith("\n")
    assert {what[0] for what in operator.told} <= set(CHANGES)
    assert {what[1] for what in operator.told} <= {"web"}


@given(st.text())
def test_words_are_never_empty(command: str) -> None:
    assert "" not in split_words(command)


PIECES = st.sampled_from(["s=web1", "action=drain", "b=web", "b=%233", "b=#", "&", "=", "s=", "%", "action=foo", ";"])


def run(page: StatsPage, request: Request) -> Response:
    """A handler that waits for nothing, without a loop."""
    answering = page.answer(request)
    answer = None
    try:
        answering.send(None)
    except StopIteration as done:
        answer = done.value
    assert isinstance(answer, Response), "it waits"
    return answer


@given(
    st.binary(max_size=200) | st.lists(PIECES, max_size=12).map(lambda parts: "&".join(parts).encode()), st.booleans()
)
def test_every_form_has_an_answer_and_a_viewers_changes_nothing(body: bytes, is_admin: bool) -> None:
    operator = Recorder()
    request = Request(method="POST", target="/haproxy?stats", body=body, is_admin=is_admin)
    answer = run(StatsPage(SURFACES, operator), request)
    assert answer.status == 303
    assert answer.headers["Location"].partition(";st=")[2] in {"DONE", "PART", "ERRP", "NONE", "DENY"}
    assert is_admin or not operator.told


@given(st.text(max_size=60))
def test_no_option_of_a_target_is_too_much(options: str) -> None:
    assert run(StatsPage(SURFACES, Recorder()), Request(method="GET", target=f"/haproxy?{options}")).status == 200


@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda rest: b"Basic " + rest))
def test_credentials_are_two_parts_or_none(value: bytes) -> None:
    given = _credentials(value)
    assert given is None or (len(given) == 2 and b":" not in given[0])


@given(st.text(max_size=30), st.none() | st.text(max_size=30), st.none() | st.text(max_size=30))
def test_origins_and_hosts_are_judged_whatever_they_are(host: str, origin: str | None, referer: str | None) -> None:
    assert is_same_origin(host, origin, referer) in (True, False)
    assert is_near_host(host) in (True, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3),
)
NAMES = st.sampled_from(["web", "web1", "web2", "nope", ""])
WISHES = st.fixed_dictionaries(
    {},
    optional={
        "pool": NAMES | JSON,
        "server": NAMES | JSON,
        "action": st.sampled_from(["ready", "drain", "maint", "hdown"]) | JSON,
        "weight": st.integers(-1, 300) | JSON,
    },
)


@given(
    WISHES.map(lambda wish: json.dumps(wish).encode())
    | JSON.map(lambda any: json.dumps(any).encode())
    | st.binary(max_size=40)
)
async def test_the_stats_page_takes_any_body(body: bytes) -> None:
    operator = Recorder()
    page = Page(Live(Rates(), lambda: 0.0), operator, None, refresh=lambda: None)
    answer = await page.server(Request(method="POST", target="/page/server", body=body, is_admin=True))
    assert isinstance(answer.body, bytes)
    said = json.loads(answer.body)
    assert (answer.status, said["ok"]) in ((200, True), (400, False))
    assert len(operator.told) == said["ok"]
    for told in operator.told:
        assert told[:2] in (("administer", "web"), ("weigh", "web"))
