"""Puts the rules of a handover into the kernel, in a child process: one transaction, all or nothing."""

import logging

import trio

from hapair.handover.ruleset import removal

log = logging.getLogger(__name__)

LIMIT_S = 5.0
NO_NFT = "there is no nft on this machine (apt install nftables)"


async def install(rules: str) -> str | None:
    """Put a text of hapair.handover.ruleset into effect. Returns what is in the way, in words; None: it is done."""
    try:
        with trio.fail_after(LIMIT_S):
            run = await trio.run_process(
                ["nft", "-f", "-"], stdin=rules.encode(), capture_stderr=True, check=False, capture_stdout=True
            )
    except FileNotFoundError:
        return NO_NFT
    except trio.TooSlowError:
        return f"nft did not end within {LIMIT_S:.0f} s"
    if run.returncode == 0:
        return None
    said = run.stderr.decode(errors="replace").splitlines()
    return f"nft refuses: {said[0] if said else f'exit status {run.returncode}'}"


async def uninstall() -> None:
    """At the end of a handover, and when a node starts: a crash may have left rules."""
    obstacle = await install(removal())
    if obstacle is not None and obstacle != NO_NFT:
        log.warning("handover rules were not removed", extra={"reason": obstacle})
