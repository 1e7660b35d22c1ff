"""The real program's admin server on both nodes: what promtool says of its metrics, what they tell of a handover."""

import json

import pytest
import trio

from hapair.lab import programs
from hapair.lab.files import hapair_yaml
from hapair.lab.pair import bring_up, furnish, measuring
from hapair.lab.plan import Plan
from hapair.lab.programs import Hapair, at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

PASSWORD = "correct horse"
USERS = {"anna": "admin", "ben": "viewer"}


@pytest.fixture
async def administered(lab, monkeypatch):
    """A pair whose file has an admin server with two users."""
    made = await trio.run_process([*hapair("password")], stdin=PASSWORD.encode(), capture_stdout=True)
    users = {name: {"password": made.stdout.decode().strip(), "level": level} for name, level in USERS.items()}

    def with_admin(plan: Plan) -> str:
        return f"{hapair_yaml(plan)}admin: {json.dumps({'listen': ':1338', 'users': users})}\n"

    monkeypatch.setattr(programs, "hapair_yaml", with_admin)
    pair = await furnish(lab, Hapair())
    await bring_up(pair)
    return pair


async def ask(pair, node, path, *options, user="ben"):
    """Status and body, as the client's curl has them."""
    url = f"http://{pair.plan.nodes[node]}:1338{path}"
    words = [
        "curl",
        "-s",
        "-m",
        "10",
        "-w",
        "\n%{http_code}",
        *(["-u", f"{user}:{PASSWORD}"] if user else []),
        *options,
        url,
    ]
    answer = await pair.client.run(words)
    body, _, status = answer.stdout.rpartition("\n" if isinstance(answer.stdout, str) else b"\n")
    return int(status), body if isinstance(body, str) else body.decode()


async def test_metrics_tell_who_is_active_and_promtool_has_nothing_to_say(administered, program):
    pair = administered
    promtool = program("promtool")
    async with measuring(pair) as measurement:
        assert await measurement.answering()
        status, metrics = await ask(pair, "pi-a", "/metrics")
    assert status == 200
    checked = await trio.run_process(
        [promtool, "check", "metrics"],
        stdin=f"{metrics}\n".encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    lines = metrics.splitlines()
    assert 'hapair_node_role{role="ACTIVE"} 1' in lines
    assert f'hapair_vip_held{{router="lan",vip="{pair.plan.vip}/24"}} 1' in lines
    assert 'haproxy_server_status{proxy="web",server="web1",state="UP"} 1' in lines
    assert 'hapair_peer_link_up{peer="pi-b"} 1' in lines
    requests = next(one for one in lines if one.startswith('haproxy_frontend_http_requests_total{proxy="web"}'))
    assert int(requests.split()[-1]) >= 50

    _, standby = await ask(pair, "pi-b", "/metrics")
    assert 'hapair_node_role{role="STANDBY"} 1' in standby.splitlines()
    await pair.nodes["pi-a"].run([*hapair("handover"), *at(pair.nodes["pi-a"])])
    assert await pair.settled("pi-b")
    _, active = await ask(pair, "pi-b", "/metrics")
    assert 'hapair_node_role{role="ACTIVE"} 1' in active.splitlines()


async def test_who_may_ask(administered):
    pair = administered
    assert await ask(pair, "pi-a", "/healthz", user=None) == (200, "ok\n")
    assert await ask(pair, "pi-b", "/readyz", user=None) == (200, "ready\n")
    assert (await ask(pair, "pi-a", "/metrics", user=None))[0] == 401
    assert (await ask(pair, "pi-a", "/metrics", user="carl"))[0] == 401
