"""Each node knows how the other is, and what happened: over the link between the node processes."""

import json

import pytest
import trio

from hapair.lab.pair import measuring
from hapair.lab.programs import at, hapair, known_status, status_of
from hapair.lab.trial import Fault, inflict

pytestmark = [pytest.mark.netns, pytest.mark.slow]


async def until(host, condition):
    """The status once it is so."""
    with trio.fail_after(60):
        while not condition(found := await known_status(host)):  # noqa: ASYNC110 - the node tells those who ask
            await trio.sleep(0.2)
    return found


async def events(host, *options):
    lines = (await host.run([*hapair("events"), *at(host), "--json", *(options or ["--local"])])).stdout.splitlines()
    return [json.loads(line) for line in lines]


async def test_each_node_knows_the_other_and_a_death_is_told(lab, pair):
    a, b = pair.nodes.values()
    seen = await until(a, lambda status: status["peer"]["snapshot"] is not None and status["peer"]["drift"] is not None)
    assert (seen["peer"]["name"], seen["peer"]["up"], seen["peer"]["snapshot"]["role"]) == ("pi-b", True, "STANDBY")
    assert seen["peer"]["snapshot"]["peer"] is None
    assert seen["peer"]["drift"] == {"places": [], "count": 0, "since_s": None}
    await until(b, lambda status: (status["peer"]["snapshot"] or {}).get("role") == "ACTIVE")

    before = len(await events(b))
    await inflict(Fault.KILL_ALL, pair, a)
    seen = await until(b, lambda status: not status["peer"]["up"] and status["role"] == "ACTIVE")
    assert seen["peer"]["snapshot"]["role"] == "ACTIVE"  # the last that was heard
    assert any("nothing is known of how pi-a is" in warning for warning in seen["peer"]["warnings"])
    words = (await b.run([*hapair("status"), *at(b)])).stdout.decode()
    assert "pi-a (192.168.1.11) is not heard for " in " ".join(words.split())

    told = [(one["kind"], one["words"]) for one in (await events(b))[before:]]
    story = [("peer", "pi-a died"), ("router", "lan is Active, was Backup"), ("role", "pi-b is ACTIVE, was STANDBY")]
    assert [one for one in told if one in story] == story
    assert ("vip", "192.168.1.100/32 put on eth0") in told
    both = [(one["node"], one["words"]) for one in await events(b, "--last", "1000")]
    assert ("pi-a", "pi-a is ACTIVE, was STANDBY") in both  # it told so before it died
    active = [node for node, words in both if words == "lan is Active, was Backup"]
    assert active[-2:] == ["pi-a", "pi-b"]  # pi-b may have been it before, until pi-a had started


async def test_maintenance_hands_over_and_lasts_over_a_restart(lab, pair):
    a, b = pair.nodes.values()
    async with measuring(pair) as measurement:
        assert await measurement.answering()
        first = len(measurement.records)
        await a.run([*hapair("maintenance"), "on", *at(a)])
        assert pair.holders() == ["pi-b"]
        assert await measurement.answering()
    assert all(one.ok for one in measurement.records[first:])
    seen = await until(b, lambda status: (status["peer"]["snapshot"] or {}).get("maintenance") is not None)
    assert not [warning for warning in seen["warnings"] if "split brain" in warning]

    a.terminate("hapair", "up")
    await a.first_exit()
    await pair.start("pi-a")
    seen = await until_answered(a, lambda status: status["link"] is not None and status["link"]["up"])
    assert seen["maintenance"]["by"] == "root (runtime socket)"
    assert [router["state"] for router in seen["routers"]] == ["Initialize"]
    assert pair.holders() == ["pi-b"]

    await a.run([*hapair("maintenance"), "off", *at(a)])
    await until(a, lambda status: [router["state"] for router in status["routers"]] == ["Backup"])
    assert pair.holders() == ["pi-b"]
    assert [one["kind"] for one in await events(a)].count("maintenance") == 1

    await until(a, lambda status: status["peer"]["up"])
    said = await a.run([*hapair("handover"), "--to", "pi-a", *at(a)], check=False)
    assert said.returncode == 0, said
    assert said.stdout.decode().startswith("asking pi-b to hand over\nasking pi-a to take over: asked for by root ")
    assert pair.holders() == ["pi-a"]


def stands(status):
    """How the first server stands: its name, and what somebody said of it."""
    pool = status["pools"][0]
    return pool["servers"][0]["admin"], pool["servers"][0]["full_weight"]


async def test_what_is_changed_on_one_node_holds_on_both_and_over_a_restart(lab, pair):
    a, b = pair.nodes.values()
    seen = await until(b, lambda status: status["peer"]["up"])
    name = f"{seen['pools'][0]['name']}/{seen['pools'][0]['servers'][0]['name']}"
    said = await a.run([*hapair("server"), name, "drain", *at(a)])
    assert said.stdout.decode().strip().endswith(", on both nodes")
    await until(b, lambda status: stands(status)[0] == "drain")

    b.terminate("hapair", "up")
    await b.first_exit()
    said = await a.run([*hapair("server"), name, "--weight", "7", *at(a)])
    assert said.stdout.decode().strip().endswith(", here, and on the peer when it is heard again")
    await pair.start("pi-b")
    await until_answered(b, lambda status: stands(status) == ("drain", 7))

    said = await b.run([*hapair("server"), name, "ready", "--local", *at(b)])
    assert said.stdout.decode().strip().endswith(", on this node alone")
    assert stands(await known_status(b)) == ("ready", 7)
    assert stands(await known_status(a)) == ("drain", 7)


async def until_answered(host, condition):
    """The same for a node that has just been started."""
    with trio.fail_after(60):
        while await status_of(host) is None:  # noqa: ASYNC110 - nobody tells when it answers
            await trio.sleep(0.2)
    return await until(host, condition)
