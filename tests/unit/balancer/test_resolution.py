"""Row by row: what is known of a name, what is answered, what is known then."""

import pytest

from balancer.config_discovery import Family, Resolve
from balancer.config_pools import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.resolution import (
    Answer,
    Failure,
    Question,
    Resolution,
    Service,
    assigned,
    places_of,
    resolutions,
    versions,
)
from balancer.standing import Place

NAME = Endpoint("app.internal", 80)
RESOLVE = Resolve(interval_s=10.0, hold_s=30.0)
NEW = Resolution(Question(NAME, RESOLVE), ("app1", "app2", "app3"))


def at(number: int, weight: int | None = None) -> Place:
    return Place(Endpoint(f"192.0.2.{number}", 80), weight)


def where(known: Resolution) -> dict[str, str]:
    return {server: place.endpoint.host for server, place in known.places.items()}


def test_servers_take_the_addresses_in_order_and_the_rest_say_why_they_have_none() -> None:
    known = NEW.after(Answer((at(20), at(3))), now=5.0)
    assert where(known) == {"app1": "192.0.2.3", "app2": "192.0.2.20"}
    assert known.due_at == 15.0
    lacking = "no address left: app.internal has 2 addresses for 3 servers"
    assert list(known.told()) == [("app1", at(3), ""), ("app2", at(20), ""), ("app3", None, lacking)]


def test_an_address_that_stays_keeps_its_server() -> None:
    known = NEW.after(Answer((at(1), at(2), at(3))), now=0.0)
    known = known.after(Answer((at(4), at(3), at(1))), now=10.0)
    assert where(known) == {"app1": "192.0.2.1", "app2": "192.0.2.4", "app3": "192.0.2.3"}


def test_a_failure_is_held_and_then_counts() -> None:
    known = NEW.after(Answer((at(1), at(2), at(3))), now=0.0).after(Failure("timeout: x"), now=10.0)
    assert next(known.told()) == ("app1", at(1), "timeout: x")
    assert known.due_at == 11.0
    known = known.after(Failure("NXDOMAIN: x"), now=29.5)
    assert (len(known.places), known.due_at) == (3, 30.0)
    known = known.after(Failure("NXDOMAIN: x"), now=30.0)
    assert list(known.told()) == [(server, None, "NXDOMAIN: x") for server in NEW.servers]
    known = known.after(Answer((at(2), at(1), at(3))), now=31.0)
    assert next(known.told()) == ("app1", at(1), "")


def test_what_was_never_resolved_says_why_at_once() -> None:
    known = NEW.after(Failure("NXDOMAIN: x"), now=0.0)
    assert list(known.told())[2] == ("app3", None, "NXDOMAIN: x")
    assert next(NEW.after(Answer(()), now=0.0).told()) == ("app1", None, "no address: app.internal has none")


@pytest.mark.parametrize(
    ("ttl_s", "due_at"), [(None, 110.0), (0.0, 101.0), (3.0, 103.0), (10.0, 110.0), (3600.0, 110.0)]
)
def test_a_short_ttl_is_heeded(ttl_s: float | None, due_at: float) -> None:
    assert NEW.after(Answer((at(1),), ttl_s), now=100.0).due_at == due_at


def test_an_address_that_comes_twice_counts_once_and_a_new_weight_is_news() -> None:
    assert assigned(["a", "b"], {}, [at(1), at(1)]) == {"a": at(1)}
    assert assigned(["a"], {"a": at(1, 5)}, [at(1, 9)]) == {"a": at(1, 9)}


def test_servers_of_one_name_and_port_share_it() -> None:
    app = Server(address=NAME)
    other = Server(address=Endpoint("app.internal", 81))
    pool = Pool(servers={"a": app, "b": other, "c": app, "d": Server(address=Endpoint("192.0.2.1", 1))})
    assert [(name, known.question.name.port, known.servers) for name, known in resolutions({"web": pool})] == [
        ("web", 80, ("a", "c")),
        ("web", 81, ("b",)),
    ]


@pytest.mark.parametrize(
    ("family", "groups"),
    [
        ("ipv4_first", ((4,), (6,))),
        ("ipv6_first", ((6,), (4,))),
        ("ipv4", ((4,),)),
        ("ipv6", ((6,),)),
        ("both", ((4, 6),)),
    ],
)
def test_families(family: Family, groups: tuple[tuple[int, ...], ...]) -> None:
    assert versions(family) == groups


@pytest.mark.parametrize(
    ("weights", "taken"),
    [
        ((10, 30), [10, 30]),
        ((256, 1), [256, 1]),
        ((0, 0), [1, 1]),
        ((0, 10), [1, 256]),
        ((65535, 32768), [256, 128]),
        ((65535, 1), [256, 1]),
    ],
)
def test_weights_of_srv_records(weights: tuple[int, int], taken: list[int]) -> None:
    services = [Service(5, weight, 80 + i, ("192.0.2.1",)) for i, weight in enumerate(weights)]
    assert [place.weight for place in places_of(services)] == taken


def test_records_of_another_priority_are_backups_unless_nobody_else_has_an_address() -> None:
    services = [Service(20, 1, 80, ("192.0.2.2",)), Service(10, 1, 80, ("192.0.2.1",)), Service(1, 1, 80, ())]
    assert places_of(services) == (
        Place(Endpoint("192.0.2.1", 80), 1, False),
        Place(Endpoint("192.0.2.2", 80), 1, True),
    )
    assert places_of([]) == ()
