"""A pair of the kernel plane: its file is one that a node takes, and what its nodes say is waited for."""

from pathlib import Path

import pytest
import trio

from hapair.admin.runtime import open_runtime_socket, serve_runtime
from hapair.config import load
from hapair.lab.kernel_pair import WEB, KernelPair

HOSTS = ("pi-a", "pi-b", "web1", "web2", "web3", "client")


class FakeHost:
    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.status: dict[str, object] = {}
        self.started: list[list[str]] = []
        folder.mkdir()
        (folder / "hapair.log").write_text(f"{name} says so\n")

    async def answer(self) -> None:
        await serve_runtime(await open_runtime_socket(self.folder / "run"), {"status": lambda: self.status})

    async def start(self, argv: list[str], *, log: str) -> None:
        self.started.append(argv)


@pytest.fixture
def hosts(tmp_path: Path) -> dict[str, FakeHost]:
    return {name: FakeHost(name, tmp_path / name) for name in HOSTS}


@pytest.fixture
def net(hosts: dict[str, FakeHost]) -> KernelPair:
    return KernelPair(hosts, WEB)  # type: ignore[arg-type]


def test_its_file_is_one_that_both_nodes_take(net: KernelPair) -> None:
    frontend = load(net.file).file.frontends["web"]
    assert [str(one) for one in frontend.listen] == ["192.168.1.100:80", "[fd00:51::100]:80"]
    assert frontend.plane == "kernel"
    assert [node.name for node in net.nodes] == ["pi-a", "pi-b"]
    assert [server.name for server in net.servers] == ["web1", "web2", "web3"]


async def test_both_nodes_are_started_with_it(net: KernelPair, hosts: dict[str, FakeHost]) -> None:
    await net.start()
    [argv] = hosts["pi-b"].started
    assert argv[-6:] == ["--config", str(net.file), "--node", "pi-b", "--runtime-dir", str(net["pi-b"].folder / "run")]
    assert len(hosts["pi-a"].started) == 1


async def test_what_its_nodes_say_is_waited_for(
    net: KernelPair, hosts: dict[str, FakeHost], nursery: trio.Nursery
) -> None:
    assert not await net.is_serving()
    flows = {"up": True, "told": 4, "waiting": 0}
    hosts["pi-a"].status = {"role": "ACTIVE", "kernel": {"obstacle": None}, "flows": flows}
    nursery.start_soon(hosts["pi-a"].answer)
    await net.until(net.is_serving)
    assert not await net.replicates()
    hosts["pi-b"].status = hosts["pi-a"].status | {"role": "STANDBY"}
    nursery.start_soon(hosts["pi-b"].answer)
    await net.until(net.replicates)
    assert [await net.has_told(count) for count in (4, 5)] == [True, False]


async def test_what_never_comes_ends_with_the_logs_of_the_nodes(
    net: KernelPair, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(AssertionError, match="pi-a says so\n\npi-b says so"):
        await net.until(net.is_serving)
