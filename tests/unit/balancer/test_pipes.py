"""Pipes are lent, given back, and never lent with someone else's bytes inside."""

import fcntl
import os
import resource
from collections.abc import Iterator

import pytest

from balancer.pipes import PipePool


@pytest.fixture
def pool() -> Iterator[PipePool]:
    pool = PipePool(limit=2)
    yield pool
    pool.close()


def test_a_pipe_holds_a_megabyte(pool: PipePool) -> None:
    pipe = pool.borrow()
    assert pipe is not None
    assert fcntl.fcntl(pipe.read_fd, fcntl.F_GETPIPE_SZ) == 1_048_576
    pool.give_back(pipe)


def test_the_last_given_back_is_lent_first(pool: PipePool) -> None:
    first = pool.borrow()
    assert first is not None
    pool.give_back(first)
    assert pool.borrow() is first
    pool.give_back(first)


def test_beyond_the_limit_there_is_none(pool: PipePool) -> None:
    lent = [pool.borrow(), pool.borrow()]
    assert pool.borrow() is None
    for pipe in lent:
        assert pipe is not None
        pool.give_back(pipe)
    assert pool.lent == 0


def test_a_pipe_with_bytes_inside_is_closed(pool: PipePool) -> None:
    pipe = pool.borrow()
    assert pipe is not None
    os.write(pipe.write_fd, b"abc")
    pipe.held = 3
    pool.give_back(pipe)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pipe.read_fd)


def test_without_descriptors_there_is_none(pool: PipePool) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        assert pool.borrow() is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert pool.lent == 0
