"""Reloads of a whole node under load, in a namespace of its own: nobody notices."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hapair.lab.host import Host
from hapair.lab.pair import measuring
from hapair.lab.programs import at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


def test_thirty_reloads_under_load_cost_no_request_and_no_stream() -> None:
    command = [sys.executable, "-m", "benchmarks.reload", "--reloads", "30", "--connections", "30", "--streams", "10"]
    environment = {name: value for name, value in os.environ.items() if name != "HAPAIR_BENCHMARK_RELOAD"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "reloads: 30," in ended.stdout
    assert "errors: 0\n" in ended.stdout


async def reload(host: Host) -> dict[str, Any]:
    ended = await host.run([*hapair("reload"), *at(host), "--json"], check=False)
    return json.loads(ended.stdout.splitlines()[-1])


async def test_servers_change_in_place_and_a_router_that_begins_anew_is_with_the_peer_meanwhile(lab, pair) -> None:
    a, b = pair.nodes["pi-a"], pair.nodes["pi-b"]
    file = a.folder.parent / "hapair.yaml"
    text = file.read_text()
    announcers = [pair.program.announcers(node) for node in (a, b)]
    async with measuring(pair) as measurement:
        assert await measurement.answering()
        file.write_text(f"{text}drain: 9s\n")
        assert (await reload(a))["changes"] == ["~ drain: 30 -> 9"]
        assert pair.holders() == ["pi-a"]
        assert await measurement.answering()

        file.write_text(f"{text}nonsense: 1\n")
        assert not (await reload(a))["ok"]
        assert pair.holders() == ["pi-a"]

        file.write_text(re.sub(r"vrid: [0-9]+", "vrid: 77", text))
        done = await reload(a)
        assert done["ok"], done
        assert await pair.settled("pi-b")
        assert await measurement.answering()
        done = await reload(b)
        assert done["ok"], done
        assert await pair.settled("pi-a")
        assert await measurement.answering()
    assert [pair.program.announcers(node) for node in (a, b)] == announcers
