"""The rules of a handover, put into the kernel and taken out again by balancer.kernel.nft."""

import logging

from balancer.kernel import nft
from hapair.handover.ruleset import removal

log = logging.getLogger(__name__)

LIMIT_S = 5.0
"""Clients wait meanwhile."""


async def install(rules: str) -> str | None:
    """Put a text of hapair.handover.ruleset into effect. Returns what is in the way, in words; None: it is done."""
    return await nft.install(rules, limit_s=LIMIT_S)


async def uninstall() -> None:
    """At the end of a handover, and when a node starts: a crash may have left rules."""
    obstacle = await install(removal())
    if obstacle is not None and obstacle != nft.NO_NFT:
        log.warning("handover rules were not removed", extra={"reason": obstacle})
