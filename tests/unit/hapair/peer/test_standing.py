"""What is known of the peer."""

from dataclasses import replace

from hapair.peer.messages import FileDigests, Status
from hapair.peer.standing import PeerStanding, split_brain, split_news, warnings_of_peer
from hapair.snapshot import DriftView, PeerView
from hapair.wire import to_plain
from tests.unit.hapair.admin.sample import NODE

STANDBY = replace(NODE, node="pi-b", role="STANDBY", warnings=("a look is due",))
PLAIN = to_plain(STANDBY)
NEW = PeerStanding(node="pi-a", peer="pi-b", address="192.0.2.12", digests={"a": "1", "b": "2"})


def seen(standing: PeerStanding, now: float, *, up: bool = True) -> PeerView:
    return standing.view(now, up=up, since_at=5.0, waits_for=None if up else "the peer (no answer)")


def test_nothing_was_heard_yet() -> None:
    assert seen(NEW, 10.0, up=False) == PeerView(
        name="pi-b", address="192.0.2.12", up=False, since_s=5.0, waits_for="the peer (no answer)",
        warnings=("nothing is known of how pi-b is (the peer (no answer)); it was never heard",),
    )  # fmt: skip


def test_the_last_that_was_heard_stays_with_its_age() -> None:
    heard = NEW.says(Status("0.1.0", PLAIN), 20.0)
    view = seen(heard, 21.5)
    assert (view.snapshot, view.age_s, view.warnings) == (STANDBY, 1.5, ("pi-b: a look is due",))
    late = seen(heard, 80.0, up=False)
    assert (late.snapshot, late.age_s) == (STANDBY, 60.0)
    assert late.warnings == ("nothing is known of how pi-b is (the peer (no answer)); last heard 60 s ago",)


def test_what_cannot_be_read_is_said_and_the_last_is_kept() -> None:
    heard = NEW.says(Status("0.1.0", PLAIN), 20.0).says(Status("0.2.0", {"what": 1}), 21.0)
    view = seen(heard, 22.0)
    assert (view.snapshot, view.age_s) == (STANDBY, 1.0)
    assert view.warnings == ("what pi-b says cannot be read here: it runs hapair 0.2.0",)


def test_drift_is_told_once_it_lasts_and_when_it_is_over() -> None:
    drifted = NEW.has_file(FileDigests({"a": "1", "b": "9"}), 100.0)
    assert seen(drifted, 103.0).drift == DriftView(places=("b",), count=1, since_s=3.0)
    assert drifted.news(109.9) == (drifted, None)
    told, happening = drifted.news(110.0)
    assert happening is not None
    assert (happening.kind, happening.words, happening.reason, happening.severity, happening.details) == (
        "drift", "pi-a and pi-b run with files that differ", "b", "warning", {"differences": 1},
    )  # fmt: skip
    assert told.news(200.0) == (told, None)
    over = told.reloaded({"a": "1", "b": "9"}, 201.0)
    over, happening = over.news(201.0)
    assert happening is not None
    assert (happening.words, happening.severity) == ("pi-a and pi-b run with the same file again", "info")
    assert seen(over, 202.0).drift == DriftView(places=(), count=0, since_s=None)


def test_a_file_that_is_copied_to_one_after_the_other_is_no_news() -> None:
    drifted = NEW.has_file(FileDigests({"a": "1", "b": "9"}), 100.0)
    same = drifted.has_file(FileDigests({"a": "1", "b": "2"}), 105.0)
    assert same.news(200.0) == (same, None)


def test_drift_that_becomes_another_counts_from_its_beginning() -> None:
    drifted = NEW.has_file(FileDigests({"a": "1", "b": "9"}), 100.0).has_file(FileDigests({"a": "3"}), 108.0)
    assert seen(drifted, 111.0).drift == DriftView(places=("a", "b is only on pi-a"), count=2, since_s=11.0)


def test_many_places_are_counted() -> None:
    many = replace(NEW, digests={f"p{n:02}": "1" for n in range(50)}).has_file(FileDigests({}), 1.0)
    view = seen(many, 1.0)
    assert view.drift is not None
    assert (len(view.drift.places), view.drift.count) == (20, 50)
    assert list(warnings_of_peer("pi-a", view)) == [
        "pi-a and pi-b run with files that differ: p00 is only on pi-a, p01 is only on pi-a, p02 is only on pi-a "
        "and 47 more"
    ]


def test_both_active_is_known_for_sure_where_the_node_processes_hear_each_other() -> None:
    view = seen(NEW.says(Status("0.1.0", PLAIN), 20.0), 21.0)
    assert list(split_brain(NODE, view)) == [
        "split brain: lan Active here and on pi-b at once; the nodes hear each other by the link of the node "
        "processes, and adverts and the liveness link do not get through: what drops IP protocol 112 and the port of "
        "that link? `hapair maintenance on --force` on one node takes its VIPs off"
    ]
    young = replace(NODE, routers=(replace(NODE.routers[0], since_s=4.0),))
    assert list(split_brain(young, view)) == []
    backup = replace(NODE, routers=(replace(NODE.routers[0], state="Backup"),))
    assert list(split_brain(backup, view)) == []
    assert list(split_brain(NODE, replace(view, up=False))) == []
    assert list(split_brain(NODE, replace(view, snapshot=None))) == []


def test_a_split_brain_is_told_when_it_is_known_and_when_it_is_over() -> None:
    began, ended = split_news((), ("lan",), "pi-b"), split_news(("lan", "wan"), (), "pi-b")
    assert began is not None
    assert ended is not None
    assert (began.kind, began.severity, began.words) == (
        "peer",
        "error",
        "split brain: lan Active here and on pi-b at once",
    )
    assert (ended.severity, ended.words) == (
        "info",
        "lan, wan Active on one node alone again, or pi-b is not heard any more",
    )
    assert split_news((), (), "pi-b") is None
    assert split_news(("lan",), ("lan", "wan"), "pi-b") is None
