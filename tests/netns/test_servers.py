"""The real program: what a person says of a server holds, also for a worker that starts later."""

import json
import os
import signal

import pytest
import trio

from hapair.lab.pair import measuring
from hapair.lab.programs import at, hapair, known_status

pytestmark = [pytest.mark.netns, pytest.mark.slow]


async def servers(host):
    (pool,) = (await known_status(host))["pools"]
    return pool["name"], {server["name"]: server for server in pool["servers"]}


async def say(host, *words):
    said = await host.run([*hapair("server"), *words, *at(host), "--json"], check=False)
    return json.loads(said.stdout) if said.returncode == 0 else {"ok": False, "words": said.stderr.decode()}


async def requests_while_answering(host, measurement, server):
    """How many more requests a server got while the client got fifty answers, none of them an error."""
    _, before = await servers(host)
    assert await measurement.answering()
    _, after = await servers(host)
    return after[server]["counts"]["requests"] - before[server]["counts"]["requests"]


async def test_a_server_that_drains_gets_nothing_also_from_a_worker_that_starts_later(lab, pair):
    a = pair.nodes["pi-a"]
    async with measuring(pair) as measurement:
        assert await measurement.answering()
        pool, known = await servers(a)
        name = f"{pool}/web1"
        assert (await say(a, name, "drain"))["words"] == f"{name} is DRAIN, UP, of weight 1, on both nodes"
        assert await measurement.answering()
        assert await requests_while_answering(a, measurement, "web1") == 0
        assert (await servers(a))[1]["web1"]["admin"] == "drain"

        for process in (await known_status(a))["processes"]:
            if process["name"].startswith("worker"):
                os.kill(process["pid"], signal.SIGKILL)
        with trio.fail_after(60):
            while any(one["state"] != "serving" for one in await workers(a)):  # noqa: ASYNC110 - it tells who asks
                await trio.sleep(0.1)
        await a.run([*hapair("preempt"), *at(a)])  # it had given the VIP up: it has no worker but this one
        assert await pair.settled("pi-a")
        assert await requests_while_answering(a, measurement, "web1") == 0
        assert await requests_while_answering(a, measurement, "web2") > 0

        assert (await say(a, name, "ready"))["ok"]
        assert await requests_while_answering(a, measurement, "web1") > 0
        assert set(known) == {"web1", "web2", "web3"}
        await a_server_comes_and_goes(pair, measurement, pool, known["web1"]["address"])
    await a_frontend_is_stopped_on_both_nodes(pair)


async def a_server_comes_and_goes(pair, measurement, pool, address):
    """On both nodes, while traffic goes on; that of the file, too."""
    a, b = pair.nodes.values()
    name = f"{pool}/web4"
    assert (await say(a, name, "add", address, "--weight", "2"))["words"] == f"{name} is added, on both nodes"
    assert await requests_while_answering(a, measurement, "web4") > 0
    with trio.fail_after(60):
        while "web4" not in (await servers(b))[1]:  # noqa: ASYNC110 - it tells who asks
            await trio.sleep(0.1)
    assert (await servers(b))[1]["web4"]["added"]
    assert not (await say(b, name, "remove"))["ok"]  # it is not in MAINT
    assert (await say(b, f"{pool}/web1", "maint"))["ok"]
    assert (await say(b, name, "maint"))["ok"]
    with trio.fail_after(60):
        while not (await say(a, name, "remove"))["ok"]:  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)
        while not (await say(a, f"{pool}/web1", "remove"))["ok"]:  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)
        while list((await servers(b))[1]) != ["web2", "web3"]:  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)
    assert await requests_while_answering(a, measurement, "web2") > 0


async def a_frontend_is_stopped_on_both_nodes(pair):
    a, b = pair.nodes.values()
    words = ("web", "disable", "--max-connections", "500")
    said = json.loads((await a.run([*hapair("frontend"), *words, *at(a), "--json"])).stdout)
    assert said["words"] == "web takes 500 connections at most and listens no more, on both nodes"
    with trio.fail_after(5):
        while not (await frontend(b))["disabled"]:  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)
    assert (await frontend(b))["max_connections"] == 500
    await b.run([*hapair("frontend"), "web", "enable", *at(b)])
    with trio.fail_after(5):
        while (await frontend(a))["disabled"]:  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)


async def frontend(host):
    return (await known_status(host))["frontends"][0]


async def workers(host):
    return [one for one in (await known_status(host))["processes"] if one["name"].startswith("worker")]
