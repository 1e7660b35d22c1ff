"""Which witnesses are asked on which interface. Pure."""

from collections.abc import Iterable

from hapair.config.scalars import on_node
from hapair.config.types import HapairFile
from vrrp.config import Address, Vip


def witnesses_on(file: HapairFile, node: str) -> dict[str, tuple[Address, ...]] | None:
    """By interface of this node: who is asked there; nobody listed: the gateway. None: nobody is asked anywhere.

    A witness is asked where a virtual router's network holds it; one that none of them holds, everywhere.
    """
    if file.pair.witness is None:
        return None
    networks: dict[str, list[Vip]] = {}
    for router in file.virtual_routers.values():
        networks.setdefault(on_node(router.interface, node), []).extend(router.all_addresses)
    if file.pair.witness == "gateway":
        return dict.fromkeys(networks, ())
    everywhere = [vip for vips in networks.values() for vip in vips]
    listed = {
        interface: tuple(
            witness for witness in file.pair.witness if _holds(vips, witness) or not _holds(everywhere, witness)
        )
        for interface, vips in networks.items()
    }
    return {interface: witnesses for interface, witnesses in listed.items() if witnesses}


def _holds(vips: Iterable[Vip], witness: Address) -> bool:
    return any(witness in vip.network for vip in vips)
