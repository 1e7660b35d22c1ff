"""Into the lab: what can be said without one."""

import os

import pytest

from hapair.lab.entry import MARK, enter, find_obstacle, inside, lab_environment


def test_the_folders_of_the_administrator_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert lab_environment()["PATH"] == "/usr/bin:/bin:/usr/sbin:/sbin"


def test_one_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MARK, raising=False)
    monkeypatch.setattr("hapair.lab.entry.lab_environment", lambda: {"PATH": "/nonexistent"})
    assert find_obstacle() == "the lab needs iproute2 and util-linux: apt-get install iproute2 util-linux"


def test_the_mark_says_whether_this_is_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MARK, raising=False)
    assert not inside()
    monkeypatch.setenv(MARK, "4711")
    assert inside()
    assert find_obstacle() is None


@pytest.mark.netns
def test_a_program_runs_inside_and_its_status_comes_out() -> None:
    program = f'test -n "${MARK}" && test $(ls /run/netns 2>/dev/null | wc -l) = 0 && exit 7'
    before = os.readlink("/proc/self/ns/net")
    assert enter(["sh", "-c", program]) == 7
    assert os.readlink("/proc/self/ns/net") == before
