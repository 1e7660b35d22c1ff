"""What a virtual router's standing depends on, as it is written under `track`. Pure.

Without a weight each of them is a gate: while it is not well, the router takes no part. With one it moves the priority:
a negative weight is added while it is not well, a positive one while it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, Seconds, Shorthand
from hapair.config.scalars import FilePath, HostAddress, InterfaceName, Names, PerNode, check_command, check_interface


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedInterface:
    """An interface that must be there, be up and have a carrier. The announcer watches it: no interval."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    interface: Annotated[Mapping[str, InterfaceName], PerNode()] | None = None
    """None: the name under which this stands."""
    weight: int | None = None

    def __post_init__(self) -> None:
        check_weight(self.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedScript:
    """A program that says by its exit status whether all is well: 0."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    command: tuple[str, ...]
    interval_s: Seconds = 1.0
    """From one start to the next."""
    timeout_s: Seconds = 1.0
    """A run that takes longer has failed, and is killed with all that it started."""
    rise: int = 2
    fall: int = 2
    weight: int | None = None

    def __post_init__(self) -> None:
        check_command("command", self.command)
        check_repetition(self.interval_s, self.timeout_s, self.rise, self.fall)
        check_weight(self.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedGateway:
    """A router of the LAN that must answer ARP, or neighbour solicitations, on the virtual router's interface."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    address: HostAddress | None = None
    """None: where the default route of the interface leads."""
    interval_s: Seconds = 1.0
    timeout_s: Seconds = 0.5
    rise: int = 2
    fall: int = 3
    weight: int | None = None

    def __post_init__(self) -> None:
        check_repetition(self.interval_s, self.timeout_s, self.rise, self.fall)
        check_weight(self.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFile:
    """A file that is there, is not there, or holds a number that is added to the priority."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    path: FilePath
    expect: Literal["present", "absent", "number"] = "present"
    interval_s: Seconds = 1.0
    weight: int | None = None

    def __post_init__(self) -> None:
        check_repetition(self.interval_s, 1.0, 1, 1)
        check_weight(self.weight)
        if self.expect == "number" and self.weight is not None:
            raise ValueError("weight must be left out with expect: number, for the file says it")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedPool:
    """A pool that must have servers that are UP, as this node's checks see them."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    at_least: int = 1
    weight: int | None = None

    def __post_init__(self) -> None:
        if self.at_least < 1:
            raise ValueError("at_least must be at least 1")
        check_weight(self.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSection:
    """Everything that one virtual router's standing depends on."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    interfaces: Annotated[Mapping[str, TrackedInterface], Names()] = field(default_factory=dict)
    scripts: Mapping[str, TrackedScript] = field(default_factory=dict)
    gateway: Annotated[TrackedGateway, Shorthand("address")] | None = None
    files: Mapping[str, TrackedFile] = field(default_factory=dict)
    pools: Annotated[Mapping[str, TrackedPool], Names()] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, tracked in self.interfaces.items():
            if tracked.interface is None:
                check_interface(name)


def check_weight(weight: int | None) -> None:
    """Raise ValueError where a weight is out of range, or does nothing."""
    if weight is not None and (weight == 0 or not -253 <= weight <= 253):
        raise ValueError("weight must be from -253 to 253 and not 0; leave it out for a gate")


def check_repetition(interval_s: float, timeout_s: float, rise: int, fall: int) -> None:
    """Raise ValueError where something would be looked at for ever, or all the time."""
    if not 0.1 <= interval_s <= 3600:
        raise ValueError("interval must be from 100ms to 1h")
    if not 0.01 <= timeout_s <= 3600:
        raise ValueError("timeout must be from 10ms to 1h")
    if rise < 1 or fall < 1:
        raise ValueError("rise and fall must be at least 1")
