"""What the tests of the proxy plane share."""

from collections.abc import Iterator

import pytest

from balancer.reactor import Reactor
from balancer.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reactor(clock: FakeClock) -> Iterator[Reactor]:
    """A reactor on the fake clock; a bug in a coroutine fails the test unless the test takes it off the count."""
    reactor = Reactor(clock=clock)
    yield reactor
    reactor.close()
    assert reactor.bugs.count == 0
