"""What another file asks of a running node: what is different, and what of it needs VIPs to be elsewhere. Pure.

Nearly everything is applied in place. What is not: a frontend that changes between proxy and kernel, whose connections
would meet rules that do not know them, so that the VIPs must be with the peer; and a virtual router that others know by
what has changed: it leaves and begins anew, and its VIPs are with the peer meanwhile if the peer takes them.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from balancer.config import BalancerConfig
from hapair.config.types import HapairFile
from hapair.config.view import NodeConfig
from hapair.messages import StartRouters
from hapair.reload.diff import Change, diff, lines
from vrrp.config import VirtualRouterConfig
from vrrp.reconfiguration import made_anew

RESTART = "restart hapair on one node after the other, which hands over first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A file as a node runs it, and what its announcer is started with (without an epoch)."""

    file: HapairFile
    config: NodeConfig
    opening: StartRouters


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`moving`: why all VIPs that are held here have to be handed over before."""

    changes: tuple[Change, ...]
    pages: tuple[str, ...] = ()
    """Files of answers whose text is another."""
    routers: bool = False
    """The announcer gets other virtual routers, witnesses or interfaces to watch."""
    starting: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    """Virtual routers that are new, and that are gone."""
    anew: Mapping[str, str] = field(default_factory=dict)
    """Virtual routers that leave and begin anew, and why."""
    giving: frozenset[str] = frozenset()
    """These, and the rest of their groups: their VIPs should be with the peer then."""
    moving: tuple[str, ...] = ()
    refusal: str | None = None
    """Why a running node cannot do it at all."""

    @property
    def lines(self) -> tuple[str, ...]:
        """For people, each change on a line."""
        return (*lines(self.changes), *(f"~ {name} has another text" for name in self.pages))

    def words(self, active: Collection[str]) -> str:
        """What a reload does about it, on a line. `active`: the virtual routers that are Active here."""
        if self.refusal is not None:
            return f"this would be refused: {self.refusal}"
        if self.is_empty:
            return "nothing is different"
        return "; ".join([self._first(active), *self._of_routers()])

    def _first(self, active: Collection[str]) -> str:
        if self.moving and active:
            return f"the VIPs are handed over first: {'; '.join(self.moving)}"
        if given := sorted(self.giving.intersection(active)):
            return f"the VIPs of {' and '.join(given)} are handed over first, if the peer takes them"
        return "this is applied in place"

    def _of_routers(self) -> Iterator[str]:
        for name, why in self.anew.items():
            yield f"virtual router {name} begins anew: {why}"
        for name in self.leaving:
            yield f"virtual router {name} leaves"
        for name in self.starting:
            yield f"virtual router {name} starts"

    @property
    def is_empty(self) -> bool:
        """Nothing is different."""
        return not self.changes and not self.pages and not self.routers


def make_plan(before: Served, after: Served, active: Collection[str] = ()) -> Plan:
    """`active`: the frontends whose VIPs are held here now. A secret that is another counts as a change."""
    refusals = tuple(_refusals(before, after))
    old, new = ({router.name: router for router in one.opening.routers} for one in (before, after))
    anew = {name: "; ".join(why) for name in old if name in new and (why := made_anew(old[name], new[name]))}
    return Plan(
        changes=(*diff(before.file, after.file), *_secret(before, after)),
        pages=tuple(_other_pages(before.config.balancer, after.config.balancer)),
        routers=before.opening != after.opening,
        starting=tuple(name for name in new if name not in old),
        leaving=tuple(name for name in old if name not in new),
        anew=anew,
        giving=_with_groups(old, anew),
        moving=tuple(_other_planes(before.config.balancer, after.config.balancer, active)),
        refusal=f"{'; '.join(refusals)}: {RESTART}" if refusals else None,
    )


def _with_groups(routers: Mapping[str, VirtualRouterConfig], names: Collection[str]) -> frozenset[str]:
    """A router moves with its group."""
    groups = {routers[name].group for name in names} - {None}
    return frozenset(name for name, router in routers.items() if name in names or router.group in groups)


def _secret(before: Served, after: Served) -> Iterator[Change]:
    if before.opening.secret != after.opening.secret and before.config.secret_file == after.config.secret_file:
        yield Change(("pair", "secret_file", "key"), "", "another")


def _other_pages(before: BalancerConfig, after: BalancerConfig) -> Iterator[str]:
    for name, text in after.files.items():
        if before.files.get(name, text) != text:
            yield name


def _other_planes(before: BalancerConfig, after: BalancerConfig, active: Collection[str]) -> Iterator[str]:
    for name, frontend in after.frontends.items():
        known = before.frontends.get(name)
        if known is not None and known.plane != frontend.plane and name in active:
            yield f"frontend {name} goes from plane {known.plane} to {frontend.plane}"


def _refusals(before: Served, after: Served) -> Iterator[str]:
    """What the links between the nodes are made of: all of them, and the signatures of adverts and of cookies."""
    if before.opening.secret != after.opening.secret:
        yield "the secret of the pair is another"
    if _without_secret(before.opening) != _without_secret(after.opening):
        yield "the nodes of the pair are others"


def _without_secret(opening: StartRouters) -> object:
    link = opening.link
    return None if link is None else (link.node, link.peer, link.address, link.peer_address, link.port)
