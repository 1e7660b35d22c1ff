"""The liveness link between two processes: killed, stopped, cut. In a network namespace of its own; times are printed.

A test runs this file again as a program under `unshare`, as root or in a user namespace.
`unshare -n python tests/netns/test_liveness.py measure` measures with 20 trials.
"""

import ctypes
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address

import pytest
import trio
import trio.testing

from vrrp.liveness.config import LinkConfig
from vrrp.liveness.link import LivenessLink
from vrrp.liveness.ports import LostCause
from vrrp.liveness.swift_end import prepare_swift_end

ETH_P_ALL, VRRP = 3, 112
PORT = 1339
MEGABYTES = 40


def config(node):
    a, b = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2")
    return LinkConfig(
        node=node,
        peer="b" if node == "a" else "a",
        address=a if node == "a" else b,
        peer_address=b if node == "a" else a,
        port=PORT,
        secret=b"0123456789abcdef",
        interval_s=0.1,
    )


class Observer:
    """Events with the time; wakes whoever waits for one."""

    def __init__(self):
        self.events = []
        self.changed = trio.Event()

    def tell(self, event):
        self.events.append((event, time.perf_counter()))
        self.changed.set()
        self.changed = trio.Event()

    def on_up(self, hello):
        self.tell("up")

    def on_frame(self, frame):
        pass

    def on_heard(self):
        pass

    def on_lost(self, cause):
        self.tell(cause)

    async def next(self, limit_s=10):
        """The next event and its time."""
        with trio.fail_after(limit_s):
            while not self.events:
                await self.changed.wait()
        return self.events.pop(0)


# -- the process that is killed ---------------------------------------------------------------------------------------


def be(node, swift):
    """An announcer's equipment: packet and raw sockets, locked memory, a second thread, real-time scheduling."""
    kept = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) for _ in range(2)]
    for sock in kept:
        sock.bind(("lo", ETH_P_ALL))
    kept += [socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP) for _ in range(2)]
    ballast = bytearray(os.urandom(4096) * (256 * MEGABYTES))
    ctypes.CDLL(None).mlockall(3)
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(10))
    trio.run(run_link, node, swift)
    del ballast


async def run_link(node, swift):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, time.sleep, 60)
        await trio.testing.wait_all_tasks_blocked()
        if swift == "swift":
            assert prepare_swift_end()
        link = LivenessLink(config(node), observer=Observer(), epoch=int(time.time()))
        nursery.start_soon(link.run)


@contextmanager
def process(node, swift="plain"):
    child = subprocess.Popen([sys.executable, __file__, "be", node, swift])
    try:
        yield child
    finally:
        child.kill()
        child.wait()


# -- in the namespace -------------------------------------------------------------------------------------------------


async def beside(scenario, *, node="b"):
    observer = Observer()
    link = LivenessLink(config(node), observer=observer, epoch=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await scenario(observer, link)
        nursery.cancel_scope.cancel()


def set_loopback(state):
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


def deaths(trials, swift, *, victim="a"):
    """Milliseconds from SIGKILL to on_lost(DIED), each with a process of its own."""
    spans = []

    async def scenario(observer, link):
        for _ in range(trials):
            with process(victim, swift) as child:
                assert (await observer.next())[0] == "up"
                await trio.sleep(0.15)
                killed_at = time.perf_counter()
                child.send_signal(signal.SIGKILL)
                event, at = await observer.next()
                assert event is LostCause.DIED
                spans.append((at - killed_at) * 1000)

    trio.run(lambda: beside(scenario, node="b" if victim == "a" else "a"))
    quick = sum(span < 2 for span in spans)
    typical, worst = statistics.median(spans), max(spans)
    print(f"{trials} x SIGKILL, {swift}: {quick} under 2 ms, median {typical:.2f} ms, max {worst:.2f} ms")
    return spans


def ns_sigkill():
    """The peer knows within milliseconds (5 to 10, more where the machine is busy), whichever end was killed."""
    assert statistics.median(deaths(5, "plain")) < 100
    assert statistics.median(deaths(5, "plain", victim="b")) < 100


def ns_sigkill_swift():
    """And sooner where the memory is not in the way."""
    assert statistics.median(deaths(7, "swift")) < 20


def ns_sigstop():
    """Silence is no death; the connection is made again when the process goes on."""

    async def scenario(observer, link):
        with process("a") as child:
            assert (await observer.next())[0] == "up"
            stopped_at = time.perf_counter()
            child.send_signal(signal.SIGSTOP)
            event, at = await observer.next()
            assert event is LostCause.ENDED
            assert 0.85 < at - stopped_at < 1.5
            child.send_signal(signal.SIGCONT)
            assert (await observer.next())[0] == "up"
            child.kill()
            assert (await observer.next())[0] is LostCause.DIED

    trio.run(lambda: beside(scenario))


def ns_cut():
    """Neither is a cut, however long: the end that gives up first does not look dead to the other."""

    async def scenario(observer, link):
        with process("a"):
            assert (await observer.next())[0] == "up"
            for cut_s in (0.95, 1.0, 1.05, 3.0):
                set_loopback("down")
                await trio.sleep(cut_s)
                set_loopback("up")
                await trio.sleep(2)
                seen = [event for event, _ in observer.events]
                observer.events.clear()
                assert seen in ([], [LostCause.ENDED, "up"]), (cut_s, seen)
            assert link.up

    trio.run(lambda: beside(scenario))


def measure():
    for swift in ("plain", "swift"):
        deaths(20, swift)


# -- outside ----------------------------------------------------------------------------------------------------------

SCENARIOS = [name for name in dir() if name.startswith("ns_")]


def unshare():
    """The command that makes a namespace here, or None."""
    commands = [["unshare", "-n"], ["unshare", "-Urn"]] if os.geteuid() == 0 else [["unshare", "-Urn"]]
    for command in commands:
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return None


@pytest.mark.netns
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_a_namespace(scenario):
    command = unshare()
    if command is None:
        reason = "no network namespaces here: needs root, or an ordinary user who may use `unshare -Urn`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    done = subprocess.run(
        [*command, sys.executable, "-W", "error", __file__, scenario],
        capture_output=True,
        text=True,
        timeout=60,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    if name != "be":
        set_loopback("up")
    globals()[name](*arguments)
