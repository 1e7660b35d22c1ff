"""What another file asks of a running node: what is different, and what of it needs the VIPs to be elsewhere. Pure.

Nearly everything is applied in place. What is not: a frontend that changes between proxy and kernel, whose connections
would meet rules that do not know them; and whatever the announcer has to be started anew for. Where VIPs are held, they
are handed over first.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from balancer.config import BalancerConfig
from hapair.config.types import HapairFile
from hapair.config.view import NodeConfig
from hapair.messages import StartRouters
from hapair.reload.diff import Change, diff, lines

RESTART = "restart hapair on one node after the other, which hands over first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A file as a node runs it, and what its announcer is started with (without an epoch)."""

    file: HapairFile
    config: NodeConfig
    opening: StartRouters


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`moving`: why VIPs that are held here have to be handed over before."""

    changes: tuple[Change, ...]
    pages: tuple[str, ...] = ()
    """Files of answers whose text is another."""
    routers: bool = False
    """The announcer gets other virtual routers."""
    restart: tuple[str, ...] = ()
    """Why it has to be started anew."""
    moving: tuple[str, ...] = ()
    refusal: str | None = None
    """Why a running node cannot do it at all."""

    @property
    def lines(self) -> tuple[str, ...]:
        """For people, each change on a line."""
        return (*lines(self.changes), *(f"~ {name} has another text" for name in self.pages))

    def words(self, *, holds_vips: bool) -> str:
        """What a reload does about it, on a line."""
        if self.refusal is not None:
            return f"this would be refused: {self.refusal}"
        if self.is_empty:
            return "nothing is different"
        if self.moving and holds_vips:
            return f"the VIPs are handed over first: {'; '.join(self.moving)}"
        if self.restart:
            return f"the announcer is started anew, without VIPs: {'; '.join(self.restart)}"
        return "this is applied in place"

    @property
    def is_empty(self) -> bool:
        """Nothing is different."""
        return not self.changes and not self.pages and not self.restart


def make_plan(before: Served, after: Served, active: Collection[str] = ()) -> Plan:
    """`active`: the frontends whose VIPs are held here now. A secret that is another counts as a change."""
    restart, refusals = tuple(_restart(before, after)), tuple(_refusals(before, after))
    planes = tuple(_other_planes(before.config.balancer, after.config.balancer, active))
    return Plan(
        changes=(*diff(before.file, after.file), *_secret(before, after)),
        pages=tuple(_other_pages(before.config.balancer, after.config.balancer)),
        routers=before.config.routers != after.config.routers or before.opening.tracked != after.opening.tracked,
        restart=restart,
        moving=(*restart, *planes),
        refusal=f"{'; '.join(refusals)}: {RESTART}" if refusals else None,
    )


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


def _restart(before: Served, after: Served) -> Iterator[str]:
    old, new = before.opening, after.opening
    if not old.routers or not new.routers:
        return  # there was no announcer, or there is to be none
    if old.witnesses != new.witnesses:
        yield "the witnesses are others"
    if old.routers != new.routers or old.tracked != new.tracked:
        yield "the virtual routers are others"


def _refusals(before: Served, after: Served) -> Iterator[str]:
    """What the links between the nodes are made of: all of them, and the signatures of adverts and of cookies."""
    if before.opening.secret != after.opening.secret:
        yield "the secret of the pair is another"
    if _without_secret(before.opening) != _without_secret(after.opening):
        yield "the nodes of the pair are others"


def _without_secret(opening: StartRouters) -> object:
    link = opening.link
    return None if link is None else (link.node, link.peer, link.address, link.peer_address, link.port)
