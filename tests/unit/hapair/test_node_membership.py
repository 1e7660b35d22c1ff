from dataclasses import replace
from pathlib import Path

import pytest

from balancer.config import Check, Pool, Server
from balancer.config_checks import AgentCheck
from balancer.fieldtypes import Endpoint
from hapair.node_membership import in_use
from hapair.node_traffic import NotPossible
from tests.unit.hapair.admin.sample import NOTHING, WEB1
from tests.unit.hapair.membership_stage import MembershipStage

WEB1_IN_FILE = Server(address=Endpoint("192.0.2.1", 80), weight=5)
POOLS = {"web": Pool(servers={"web1": WEB1_IN_FILE}, check=Check(), agent=AgentCheck(port=99))}
NEW = Server(address=Endpoint("192.0.2.9", 80), weight=3, disabled=True)


@pytest.fixture
async def stage(tmp_path: Path) -> MembershipStage:
    return MembershipStage(POOLS, tmp_path)


async def test_a_server_is_added_and_removed(stage: MembershipStage) -> None:
    await stage.members.add("web", "web9", NEW, by="me")
    assert stage.servers() == ["web1", "web9"]
    assert (stage.reshaped, stage.settled) == ([[("web", "web9")]], 1)
    known = stage.checks.snapshot()["web"]["web9"]
    assert (known.admin, known.text, known.checks_on, known.agent_on) == ("maint", "UP 1/3", True, True)
    assert stage.look().warnings == ("servers that somebody added, whatever the file says: web/web9",)
    assert [one.added for one in stage.look().pools[0].servers] == [False, True]
    await stage.members.remove("web", "web9", by="me")
    assert stage.servers() == ["web1"]
    assert (stage.reshaped[1:], stage.settled) == ([[]], 2)
    assert stage.look().warnings == ()


async def test_and_one_of_the_file(stage: MembershipStage) -> None:
    stage.changes.everywhere.administer("web", "web1", "maint", by="me")
    await stage.members.remove("web", "web1", by="me")
    assert stage.servers() == []
    assert stage.look().warnings == ("servers that somebody removed, whatever the file says: web/web1",)
    await stage.members.add("web", "web1", NEW, by="me")
    assert stage.changes.pools["web"].servers == {"web1": NEW}


async def test_its_checks_and_its_agent_wait_to_be_started(stage: MembershipStage) -> None:
    await stage.members.add("web", "web9", NEW, by="me", checks=False, agent=False)
    known = stage.checks.snapshot()["web"]["web9"]
    assert (known.checks_on, known.agent_on) == (False, False)
    await stage.members.add("web", "web8", replace(NEW, check=False), by="me", checks=False)
    known = stage.checks.snapshot()["web"]["web8"]
    assert (known.checks_on, known.text) == (True, "no check")


async def test_it_is_there_after_a_restart(stage: MembershipStage, tmp_path: Path) -> None:
    await stage.members.add("web", "web9", NEW, by="me", checks=False)
    stage.changes.everywhere.administer("web", "web9", "ready", by="me")
    await stage.changes.save()
    again = MembershipStage(POOLS, tmp_path)
    known = again.checks.snapshot()["web"]["web9"]
    assert (known.admin, known.checks_on, again.reshaped) == ("ready", False, [])


async def test_one_that_comes_again_begins_anew(stage: MembershipStage) -> None:
    await stage.members.add("web", "web9", replace(NEW, disabled=False), by="me")
    stage.changes.everywhere.weigh("web", "web9", 9)
    stage.changes.everywhere.administer("web", "web9", "maint", by="me")
    await stage.members.remove("web", "web9", by="me")
    await stage.members.add("web", "web9", replace(NEW, disabled=False), by="me")
    known = stage.checks.snapshot()["web"]["web9"]
    assert (known.admin, known.weight) == ("ready", None)


async def test_what_cannot_be_added(stage: MembershipStage) -> None:
    for pool, name, why in (
        ("web", "web1", "there is a server web/web1 already"),
        ("api", "web9", "there is no pool api"),
        ("web", "a b", "a name is made of letters, digits, _ . and -, at most 63"),
    ):
        with pytest.raises(NotPossible, match=why):
            await stage.members.add(pool, name, NEW, by="me")
    unix = Server(address=Endpoint("/run/web.sock", 0))
    with pytest.raises(NotPossible, match="agent must be told where it is"):
        await stage.members.add("web", "web9", unix, by="me")
    assert stage.changes.entries == ()


async def test_what_cannot_be_removed(stage: MembershipStage) -> None:
    with pytest.raises(NotPossible, match="there is no server web/web9"):
        await stage.members.remove("web", "web9", by="me")
    with pytest.raises(NotPossible, match="web/web1 must be in MAINT"):
        await stage.members.remove("web", "web1", by="me")
    stage.changes.everywhere.administer("web", "web1", "maint", by="me")
    stage.open["web1"] = 2
    with pytest.raises(NotPossible, match="web/web1 still has connections"):
        await stage.members.remove("web", "web1", by="me")
    assert stage.servers() == ["web1"]


def test_what_stands_in_the_way() -> None:
    free = replace(WEB1, admin="maint", counts=NOTHING)
    assert in_use(free) is None
    assert in_use(replace(free, admin="drain")) == "must be in MAINT before it is removed"
    assert in_use(replace(free, counts=replace(NOTHING, open=1))) == "still has connections (1 open, 0 waiting)"
