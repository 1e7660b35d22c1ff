"""A machine of the lab: what it does to processes."""

import os
import signal
import subprocess
import sys

import pytest

from hapair.lab.host import _until_none_is_new, command_line, parent_of


def test_what_the_kernel_says_of_a_process() -> None:
    assert command_line(os.getpid())[0] == sys.orig_argv[0]
    assert parent_of(os.getpid()) == os.getppid()


def test_a_process_that_is_gone() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert command_line(child.pid) == []
    assert parent_of(child.pid) is None


def test_those_that_appear_while_others_are_killed_are_killed_too() -> None:
    with subprocess.Popen(["sleep", "60"]) as first, subprocess.Popen(["sleep", "60"]) as second:
        rounds = iter([[first.pid], [first.pid, second.pid]])
        _until_none_is_new(lambda: next(rounds, []), signal.SIGKILL)
        assert (first.wait(5), second.wait(5)) == (-9, -9)


def test_a_host_on_which_they_multiply_without_end_is_an_error() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    numbers = iter(range(10_000_000, 20_000_000))  # beyond the largest process id
    with pytest.raises(RuntimeError, match="SIGKILL"):
        _until_none_is_new(lambda: [next(numbers)], signal.SIGKILL)
