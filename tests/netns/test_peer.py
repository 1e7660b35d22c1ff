"""Each node knows how the other is, and what happened: over the link between the node processes."""

import json

import pytest
import trio

from hapair.lab.programs import at, hapair
from hapair.lab.trial import Fault, inflict

pytestmark = [pytest.mark.netns, pytest.mark.slow]


async def status(host):
    return json.loads((await host.run([*hapair("status"), *at(host), "--json"])).stdout)


async def until(host, condition):
    """The status once it is so."""
    with trio.fail_after(20):
        while not condition(found := await status(host)):  # noqa: ASYNC110 - the node tells those who ask
            await trio.sleep(0.2)
    return found


async def events(host):
    lines = (await host.run([*hapair("events"), *at(host), "--json"])).stdout.splitlines()
    return [json.loads(line) for line in lines]


async def test_each_node_knows_the_other_and_a_death_is_told(lab, pair):
    a, b = pair.nodes.values()
    seen = await until(a, lambda status: status["peer"]["snapshot"] is not None and status["peer"]["drift"] is not None)
    assert (seen["peer"]["name"], seen["peer"]["up"], seen["peer"]["snapshot"]["role"]) == ("pi-b", True, "STANDBY")
    assert seen["peer"]["snapshot"]["peer"] is None
    assert seen["peer"]["drift"] == {"places": [], "count": 0, "since_s": None}
    seen = await until(b, lambda status: status["peer"]["snapshot"] is not None)
    assert seen["peer"]["snapshot"]["role"] == "ACTIVE"

    await inflict(Fault.KILL_ALL, pair, a)
    seen = await until(b, lambda status: not status["peer"]["up"] and status["role"] == "ACTIVE")
    assert seen["peer"]["snapshot"]["role"] == "ACTIVE"  # the last that was heard
    assert any("nothing is known of how pi-a is" in warning for warning in seen["peer"]["warnings"])
    words = (await b.run([*hapair("status"), *at(b)])).stdout.decode()
    assert "pi-a (192.168.1.11) is not heard for " in " ".join(words.split())

    told = [(one["kind"], one["words"]) for one in await events(b)]
    story = [("peer", "pi-a died"), ("router", "lan is Active, was Backup"), ("role", "pi-b is ACTIVE, was STANDBY")]
    assert [one for one in told if one in story] == story
    assert ("vip", "192.168.1.100/32 put on eth0") in told
