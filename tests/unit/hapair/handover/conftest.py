"""One side of a handover, as a test talks to it."""

from collections.abc import Callable
from ipaddress import IPv4Interface, ip_address

import pytest

from hapair.handover.conversation import Conversation
from hapair.handover.events import Effect, Event, FitnessReported, LinkUp, RoutersReported, Send, Standing
from hapair.handover.messages import Flow, Message, Stations
from vrrp.config import VirtualRouterConfig

ROUTERS = (
    VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("10.0.0.1/24"),)),
    VirtualRouterConfig(name="wan", vrid=52, interface="eth1", addresses=(IPv4Interface("10.1.0.1/24"),)),
)


class Side:
    """One node's conversation, and a clock that the test sets."""

    stations = Stations({"lan": "02:00:00:00:00:0a", "wan": "02:00:00:00:01:0a"})
    others = Stations({"lan": "02:00:00:00:00:0b", "wan": "02:00:00:00:01:0b"})

    def __init__(self, state: str, peer: str) -> None:
        self.conversation = Conversation(ROUTERS, drain_s=30.0)
        self.now = 1000.0
        self(LinkUp(peer))
        self(FitnessReported(None, 3))
        self.report(lan=state, wan=state)

    def __call__(self, event: Event) -> tuple[Effect, ...]:
        return self.conversation.handle(event, self.now)

    def report(self, **states: str) -> tuple[Effect, ...]:
        """The routers stand like this, and are settled where Active."""
        return self(
            RoutersReported({name: Standing(state, state == "Active") for name, state in states.items()})  # type: ignore[arg-type]
        )

    @staticmethod
    def flow(port: int, vip: str = "10.0.0.1") -> Flow:
        return Flow(ip_address("10.0.0.50"), port, ip_address(vip), 80)

    @staticmethod
    def said(effects: tuple[Effect, ...]) -> list[Message]:
        return [effect.message for effect in effects if isinstance(effect, Send)]


@pytest.fixture
def make_side() -> Callable[[str, str], Side]:
    return Side


@pytest.fixture
def giver() -> Side:
    """pi-a, which is Active."""
    return Side("Active", "pi-b")


@pytest.fixture
def taker() -> Side:
    """pi-b, which is Backup."""
    return Side("Backup", "pi-a")
