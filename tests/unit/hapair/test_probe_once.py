import json
import socket
import threading

from balancer.config import Check, Pool, Server
from balancer.config_checks import AgentCheck
from balancer.config_discovery import Resolve
from balancer.fieldtypes import Endpoint
from hapair.probe_once import as_json, probe_all


def test_every_check_and_agent_once_in_the_order_of_the_file() -> None:
    agent = socket.create_server(("127.0.0.1", 0))
    port = agent.getsockname()[1]

    def answer() -> None:
        for _ in range(2):
            accepted, _ = agent.accept()
            accepted.sendall(b"up 50% maxconn:3 drain\n")
            accepted.close()

    thread = threading.Thread(target=answer)
    thread.start()
    pools = {
        "web": Pool(
            servers={"a": Server(address=Endpoint("127.0.0.1", 1)), "b": Server(address=Endpoint("127.0.0.1", port))},
            check=Check(),
        ),
        "api": Pool(servers={"c": Server(address=Endpoint("127.0.0.1", 1))}, agent=AgentCheck(port=port)),
        "old": Pool(servers={"d": Server(address=Endpoint("127.0.0.1", 1))}),
    }

    seen = probe_all(pools, {})

    thread.join(5)
    agent.close()
    assert [(one.pool, one.server, one.kind, one.ok, one.said, one.code) for one in seen] == [
        ("web", "a", "tcp", False, "connection refused", "L4CON"),
        ("web", "b", "tcp", True, "connected", "L4OK"),
        ("api", "c", "agent", True, "up drain 50% max_connections 3", "L7OK"),
    ]
    shown = json.loads(as_json(seen))
    assert (shown[0]["target"], shown[0]["ok"]) == ("127.0.0.1:1", False)


def test_an_agent_that_does_not_answer_says_nothing_of_its_server() -> None:
    pools = {"api": Pool(servers={"c": Server(address=Endpoint("127.0.0.1", 80))}, agent=AgentCheck(port=1))}

    seen = probe_all(pools, {})[0]

    assert (seen.ok, seen.said) == (None, "the agent cannot be reached: connection refused")


def test_a_name_that_is_not_known_is_said_instead_of_a_check() -> None:
    resolve = Resolve(nameservers=(Endpoint("127.0.0.1", 1),), timeout_s=0.2)
    pool = Pool(servers={"a": Server(address=Endpoint("app.invalid", 80))}, check=Check(), resolve=resolve)

    [unknown] = probe_all({"web": pool}, {})

    assert (unknown.kind, unknown.target, unknown.ok) == ("name", "app.invalid:80", None)
    assert "app.invalid" in unknown.said
