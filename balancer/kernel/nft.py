"""The program nft in a child process: one transaction, all or nothing. The seam to nftables, but for VRRP's."""

import json
from collections.abc import Mapping

import trio

from balancer.kernel.ruleset import TABLE
from balancer.kernel.services import Count

LIMIT_S = 10.0
NO_NFT = "there is no nft on this machine (apt install nftables)"


async def install(rules: str, *, limit_s: float | None = None) -> str | None:
    """Put a ruleset into effect. Returns what is in the way, in words; None: it is done."""
    status, _, said = await _nft(["-f", "-"], rules.encode(), limit_s)
    return _obstacle(status, said)


async def knows_egress() -> bool:
    """Whether this kernel can change what leaves (Linux 5.16), and nft says so (1.0.1). Nothing is changed."""
    return await _would_take(
        'table netdev hapair_try { chain c { type filter hook egress device "lo" priority 0; }; }\n'
    )


async def knows_synproxy() -> bool:
    """Whether this kernel can shake hands for a server (Linux 5.4). Nothing is changed."""
    rule = "tcp dport 9 synproxy mss 1460 wscale 7 timestamp sack-perm"
    return await _would_take(f"table inet hapair_try {{ chain c {{ type filter hook input priority 0; {rule}\n}}; }}\n")


async def _would_take(rules: str) -> bool:
    status, _, _ = await _nft(["-c", "-f", "-"], rules.encode())
    return status == 0


async def counters() -> Mapping[str, Count] | None:
    """Every named counter of the tables; None: nft does not say."""
    status, printed, _ = await _nft(["-j", "list", "counters"])
    return counters_in(printed) if status == 0 else None


async def ruleset() -> str | None:
    """What `nft -t list ruleset` prints, of everybody's tables; None: nft does not say."""
    status, printed, _ = await _nft(["-t", "list", "ruleset"])
    return printed.decode(errors="replace") if status == 0 else None


def counters_in(printed: bytes) -> dict[str, Count]:
    """From what `nft -j list counters` prints."""
    found = [one["counter"] for one in json.loads(printed)["nftables"] if one.get("counter", {}).get("table") == TABLE]
    return {one["name"]: Count(one["packets"], one["bytes"]) for one in found}


def _obstacle(status: int | str, said: bytes) -> str | None:
    if status == 0:
        return None
    if isinstance(status, str):
        return status
    lines = said.decode(errors="replace").splitlines()
    return f"nft refuses: {lines[0] if lines else f'exit status {status}'}"


async def _nft(arguments: list[str], text: bytes = b"", limit_s: float | None = None) -> tuple[int | str, bytes, bytes]:
    limit_s = LIMIT_S if limit_s is None else limit_s
    try:
        with trio.fail_after(limit_s):
            run = await trio.run_process(
                ["nft", *arguments], stdin=text, capture_stderr=True, capture_stdout=True, check=False
            )
    except FileNotFoundError:
        return NO_NFT, b"", b""
    except trio.TooSlowError:
        return f"nft did not end within {limit_s:.0f} s", b"", b""
    return run.returncode, run.stdout, run.stderr
