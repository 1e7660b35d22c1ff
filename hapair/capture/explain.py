"""What a frame means, in words. Whatever it holds, it is explained or said to be broken; nothing in it is believed."""

import struct
from ipaddress import ip_address

from scapy.error import Scapy_Exception
from scapy.layers.inet import IP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from vrrp.advertisement import IP_PROTOCOL, Advertisement, AdvertRejected, Datagram, decode
from vrrp.authentication import TRAILER_BYTES, is_signed
from vrrp.config import OWNER_PRIORITY, Checksum

_VIRTUAL_MAC = {"00:00:5e:00:01": 4, "00:00:5e:00:02": 6}
_LONGEST = 300
_BROKEN = (struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, OSError, Scapy_Exception)
"""What scapy raises on frames that end too early, or hold what cannot be."""


def explain(frame: bytes) -> str:
    """One line of printable text."""
    try:
        words = _explain(Ether(frame))
    except _BROKEN:
        words = f"! a broken frame of {len(frame)} bytes"
    return "".join(char if char.isprintable() else "?" for char in words)[:_LONGEST]


def _explain(packet: Packet) -> str:
    if ARP in packet:
        return _arp(packet[ARP])
    for kind in (IP, IPv6):
        if kind in packet:
            layer = packet[kind]
            protocol = layer.proto if kind is IP else layer.nh
            if protocol == IP_PROTOCOL:
                ttl = layer.ttl if kind is IP else layer.hlim
                return _advert(str(layer.src), str(layer.dst), ttl, bytes(layer.payload), packet.src)
    if ICMPv6ND_NA in packet:
        return _neighbour_advertisement(packet)
    if ICMPv6ND_NS in packet:
        return _neighbour_solicitation(packet)
    return f"{packet.src} > {packet.dst}: {len(packet)} bytes that are neither an advert, nor ARP, nor ND"


def _advert(source: str, destination: str, ttl: int, payload: bytes, mac: str) -> str:
    head = f"VRRP {source} > {destination}:"
    signed = is_signed(payload)
    message = payload[:-TRAILER_BYTES] if signed else payload
    version = payload[0] >> 4 if payload else 3
    try:
        datagram = Datagram(message, ip_address(source), ip_address(destination), ttl)
        advert, checksum = _decoded(datagram, version)
    except AdvertRejected as rejected:
        return f"{head} ! no router takes this: {rejected}"
    what = f"version {version}, VRID {advert.vrid}, priority {advert.priority}"
    if advert.priority == 0:
        what += " (it resigns)"
    elif advert.priority == OWNER_PRIORITY:
        what += " (the owner of the addresses)"
    extras = [f"every {advert.max_advert_interval_cs / 100:g} s", f"for {', '.join(map(str, advert.addresses))}"]
    if signed:
        extras.append("signed by a hapair (not verified here)")
    if version == 3 and checksum == "rfc9568":
        extras.append("checksum as RFC 9568 has it")
    if _virtual_vrid(mac) is not None:
        extras.append(f"from the virtual MAC address {mac}")
    return f"{head} {what}, {', '.join(extras)}"


def _decoded(datagram: Datagram, version: int) -> tuple[Advertisement, Checksum]:
    unicast = not datagram.destination.is_multicast
    peers = (datagram.source,) if unicast else ()
    payload = datagram.payload
    has_password = version == 2 and len(payload) >= 8 and payload[4] == 1
    password = payload[-8:].rstrip(b"\0").decode("latin-1") if has_password else None
    return decode(datagram, version=version, password=password, peers=peers)


def _arp(arp: Packet) -> str:
    sender, mac = str(arp.psrc), _named(str(arp.hwsrc))
    if arp.hwtype != 1 or arp.ptype != 0x0800 or arp.hwlen != 6 or arp.plen != 4:
        return "ARP ! not of Ethernet and IPv4"
    if arp.psrc == arp.pdst:
        return f"ARP announcement: {sender} is at {mac} (gratuitous; neighbours learn it)"
    if arp.op == 1 and sender == "0.0.0.0":
        return f"ARP probe: does anybody have {arp.pdst}? asks {mac}"
    if arp.op == 1:
        return f"ARP request: who has {arp.pdst}? asks {sender} at {mac}"
    if arp.op == 2:
        return f"ARP reply: {sender} is at {mac}, to {arp.pdst}"
    return f"ARP ! operation {arp.op}"


def _neighbour_advertisement(packet: Packet) -> str:
    na = packet[ICMPv6ND_NA]
    option = packet[ICMPv6NDOptDstLLAddr].lladdr if ICMPv6NDOptDstLLAddr in packet else packet.src
    kind = "answer" if na.S else "announcement"
    effect = ", overrides what is known" if na.O else ""
    forwarded = "" if packet[IPv6].hlim == 255 else f" ! hop limit {packet[IPv6].hlim}: nobody takes this"
    return f"ND {kind}: {na.tgt} is at {_named(str(option))}{effect}{forwarded}"


def _neighbour_solicitation(packet: Packet) -> str:
    source = packet[IPv6].src
    if source == "::":
        return f"ND probe: does anybody have {packet[ICMPv6ND_NS].tgt}? asks {_named(packet.src)}"
    mac = packet[ICMPv6NDOptSrcLLAddr].lladdr if ICMPv6NDOptSrcLLAddr in packet else packet.src
    return f"ND request: who has {packet[ICMPv6ND_NS].tgt}? asks {source} at {_named(str(mac))}"


def _named(mac: str) -> str:
    vrid = _virtual_vrid(mac)
    return mac if vrid is None else f"{mac} (virtual MAC address of VRID {vrid})"


def _virtual_vrid(mac: str) -> int | None:
    return int(mac[15:], 16) if len(mac) == 17 and mac[:14] in _VIRTUAL_MAC else None
