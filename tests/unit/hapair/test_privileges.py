"""Giving up what a process may do. Each test that changes a process has a process of its own."""

import json
import subprocess
import sys
from typing import Any

from hapair.privileges import CAP_NET_ADMIN, CAP_NET_RAW, effective_capabilities, missing_capabilities

STATUS = """
import json, os, resource, sys, threading
from hapair import privileges
def status():
    lines = open("/proc/self/status").read().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
"""


def in_a_process(code: str) -> Any:
    run = subprocess.run([sys.executable, "-c", STATUS + code], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def capability_line() -> str:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(line.split()[1] for line in status if line.startswith("CapEff:"))


def test_effective_capabilities_are_the_kernel_s() -> None:
    assert f"{effective_capabilities():016x}" == capability_line()


def test_missing_capabilities_are_named() -> None:
    after = in_a_process(
        "privileges.drop_all()\n"
        "print(json.dumps(privileges.missing_capabilities((privileges.CAP_NET_ADMIN, privileges.CAP_NET_RAW))))"
    )
    assert after == ["CAP_NET_ADMIN", "CAP_NET_RAW"]
    assert missing_capabilities(()) == []
    if effective_capabilities() >> 12 & 1 and effective_capabilities() >> 13 & 1:
        assert missing_capabilities((CAP_NET_ADMIN, CAP_NET_RAW)) == []


def test_after_dropping_all_nothing_is_left_and_there_is_no_way_back() -> None:
    after = in_a_process("privileges.drop_all(); print(json.dumps(status()))")
    assert after["NoNewPrivs"] == "1"
    assert [after[kind] for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == ["0000000000000000"] * 4
    if effective_capabilities() >> 8 & 1:  # CAP_SETPCAP: may shrink the bounding set as well
        assert after["CapBnd"] == "0000000000000000"


def test_dropping_twice_is_dropping_once() -> None:
    after = in_a_process("privileges.drop_all(); privileges.drop_all(); print(json.dumps(status()['CapEff']))")
    assert after == "0000000000000000"


def test_what_is_kept_is_kept_for_this_process_alone() -> None:
    had = effective_capabilities() & 1 << CAP_NET_RAW
    after = in_a_process("privileges.drop_all(keep=(privileges.CAP_NET_RAW,)); print(json.dumps(status()))")
    assert [int(after[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [had, had, 0, 0]


def test_real_time_scheduling_where_it_is_allowed_and_no_failure_where_it_is_not() -> None:
    got, policy, of_a_thread = in_a_process(
        "got = privileges.use_realtime_scheduling()\n"
        "threads = []\n"
        "thread = threading.Thread(target=lambda: threads.append(os.sched_getscheduler(0)))\n"
        "thread.start(); thread.join()\n"
        "print(json.dumps([got, os.sched_getscheduler(0), threads[0]]))"
    )
    assert (got, policy, of_a_thread) in ((True, 2, 2), (False, 0, 0))  # SCHED_RR is 2, SCHED_OTHER 0


def test_without_any_privilege_scheduling_stays_as_it_is() -> None:
    got, policy = in_a_process(
        "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0)); resource.setrlimit(resource.RLIMIT_NICE, (0, 0))\n"
        "privileges.drop_all()\n"
        "print(json.dumps([privileges.use_realtime_scheduling(), os.sched_getscheduler(0)]))"
    )
    assert (got, policy) == (False, 0)


def test_memory_is_not_locked_where_a_limit_would_fail_later_allocations() -> None:
    locked, size = in_a_process(
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
        "privileges.drop_all()\n"
        "print(json.dumps([privileges.lock_memory(), status()['VmLck']]))"
    )
    assert (locked, size) == (False, "0 kB")


def test_no_core_is_left_by_a_process_or_its_children() -> None:
    after = in_a_process(
        "import subprocess\n"
        "privileges.leave_no_core()\n"
        "code = 'import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[1])'\n"
        "child = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)\n"
        "print(json.dumps([list(resource.getrlimit(resource.RLIMIT_CORE)), int(child.stdout)]))"
    )
    assert after == [[0, 0], 0]
