"""Keeps this machine's kernel from answering for VIPs that are not, or no longer, ours: the fence.

`fencerules` says what it is made of. The kernel closes it when the process that opened it is gone, in whatever way.
"""

import errno
import fcntl
import logging
import socket
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from vrrp.config import Address
from vrrp.linux import fencerules, nftables
from vrrp.linux.nftables import Request

log = logging.getLogger(__name__)

_SOL_NETLINK, _ADD_MEMBERSHIP, _SHORT_ANSWERS = 270, 1, 10
_ANSWER_BYTES = 1 << 16
_HIGH_DESCRIPTORS = (900, 400, 200)  # below that of the liveness link, which has to be closed first of all
_FAMILY_NAMES = {nftables.ARP: "ARP", nftables.IPV6: "IPv6", nftables.IPV4: "IPv4"}


class FenceUnavailable(Exception):  # noqa: N818 - a state of the machine, in the words of the status
    """This kernel cannot do it; says what it lacks."""


class Fence:
    """The fence around some VIPs. To be used by one thread, but for `events` and `is_gone`.

    Every method that changes something does it at one instant or not at all; each raises OSError (EPERM: without
    CAP_NET_ADMIN). A VIP with a zone (`IPv6Address("fe80::1%eth0")`) is fenced on that interface alone, as befits an
    address that others may have elsewhere. `only_from`: even while such a VIP is open, no other interface speaks for
    it. `not_accepted`: packets to these are dropped, but for neighbour discovery (RFC 9568 section 6.1, Accept_Mode).
    """

    restored = 0
    """How often somebody had removed the permanent part."""

    def __init__(
        self,
        vips: Collection[Address],
        *,
        only_from: Mapping[Address, str] = MappingProxyType({}),
        not_accepted: Collection[Address] = (),
    ) -> None:
        """Touches nothing yet. Raises FenceUnavailable."""
        self._plan = fencerules.FencePlan(frozenset(vips), dict(only_from), frozenset(not_accepted))
        self._rules = fencerules.rules_in_permanent(self._plan)
        self._opened: frozenset[Address] = frozenset()
        self._socket, self._events = _open_socket(), _open_socket()
        self._socket = _moved_up(self._socket)
        self._portid: int = self._socket.getsockname()[0]
        self._events.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, nftables.GROUP_NFTABLES)
        self._events.setblocking(False)

    def install(self) -> None:
        """Fence every VIP, in place of what an earlier run left and without a gap. Raises FenceUnavailable."""
        owned = fencerules.install_owned(self._plan, self._portid, self._opened)
        self._do([*fencerules.install_permanent(self._plan), *owned])

    def replan(
        self,
        vips: Collection[Address],
        *,
        only_from: Mapping[Address, str] = MappingProxyType({}),
        not_accepted: Collection[Address] = (),
    ) -> None:
        """Fence these from now on, instead of those before, without a gap; what is open and still fenced stays open."""
        plan = fencerules.FencePlan(frozenset(vips), dict(only_from), frozenset(not_accepted))
        opened = self._opened & plan.vips
        self._do(fencerules.replan(self._plan, plan, self._portid, opened))
        self._plan, self._opened = plan, opened
        self._rules = fencerules.rules_in_permanent(plan)

    def open(self, vips: Collection[Address]) -> None:
        """Let the kernel answer for these. Those that are open, and those that are not fenced, are no error."""
        new = (self._plan.vips & frozenset(vips)) - self._opened
        self._do(fencerules.change_open(self._plan, self._portid, new, nftables.add_elements))
        self._opened |= new

    def close(self, vips: Collection[Address]) -> None:
        """Let the kernel not answer for these any more, whether it has the addresses or not."""
        old = self._opened & frozenset(vips)
        self._do(fencerules.change_open(self._plan, self._portid, old, nftables.delete_elements))
        self._opened -= old

    def reinstall_if_missing(self) -> bool:
        """Put the permanent part back where rules of it are gone, as after `nft flush ruleset`; whether they were."""
        if all(self._count_rules(table) == rules for table, rules in self._rules.items()):
            return False
        self._do(fencerules.install_permanent(self._plan))
        self.restored += 1
        log.warning("fence restored", extra={"restored": self.restored})
        return True

    def events(self) -> socket.socket:
        """Readable, without blocking, whenever somebody has changed nftables. ENOBUFS: see `reinstall_if_missing`."""
        return self._events

    def is_gone(self, data: bytes) -> bool:
        """Whether a datagram from `events` says that somebody else removed something of the permanent part."""
        return any(
            notice.table in self._rules and notice.kind in nftables.REMOVALS and notice.portid != self._portid
            for notice in nftables.notices_in(data)
        )

    def remove(self) -> None:
        """Remove everything of ours, also what another run left. For a stop for good: nothing is fenced any more."""
        self._do(fencerules.remove(self._portid))
        self._opened = frozenset()

    def disown(self) -> None:
        """Do what the end of the process does: nothing is open any more, the permanent part stays. Takes an RCU
        grace period, some milliseconds."""
        self._socket.close()
        self._events.close()

    def fileno(self) -> int:
        """The owning socket's descriptor. The kernel closes a dying process' descriptors from the highest down."""
        return self._socket.fileno()

    def _do(self, requests: Sequence[Request]) -> None:
        if not requests:
            return
        self._socket.sendto(nftables.batch(requests), (0, 0))  # the kernel does it before this returns
        failed = [answer for answer in self._answers() if answer.errno]
        if failed:
            raise refusal_of(failed[0], requests)

    def _answers(self) -> list[nftables.Answer]:
        answers: list[nftables.Answer] = []
        while True:
            try:
                datagram = self._socket.recv(_ANSWER_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return answers
            answers += nftables.answers_in(datagram)

    def _count_rules(self, table: nftables.Table) -> int:
        self._socket.sendto(nftables.list_rules(table), (0, 0))
        rules, at_end = 0, False
        while not at_end:
            datagram = self._socket.recv(_ANSWER_BYTES, socket.MSG_DONTWAIT)
            notices = nftables.notices_in(datagram)
            rules += sum(notice.kind == nftables.NEW_RULE and notice.table == table for notice in notices)
            at_end = nftables.is_end(datagram)
        return rules


def _open_socket() -> socket.socket:
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, nftables.NETLINK_NETFILTER)
    except OSError as error:
        if error.errno != errno.EPROTONOSUPPORT:
            raise
        raise FenceUnavailable("this kernel has no netfilter netlink (module nfnetlink)") from error
    opened.bind((0, 0))
    opened.setsockopt(_SOL_NETLINK, _SHORT_ANSWERS, 1)
    return opened


def _moved_up(low: socket.socket) -> socket.socket:
    """A high descriptor is closed before packet sockets are, each of which takes the kernel some milliseconds."""
    for lowest in _HIGH_DESCRIPTORS:
        try:
            descriptor = fcntl.fcntl(low.fileno(), fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EMFILE):  # as many are not allowed
                raise
        else:
            low.close()
            return socket.socket(fileno=descriptor)
    return low


def refusal_of(answer: nftables.Answer, requests: Sequence[Request]) -> Exception:
    """What to raise for an answer to a batch: in words where the kernel lacks something, else an OSError."""
    request = requests[answer.number - 1] if answer.number else None
    lacking = answer.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL)
    match request:
        case None if lacking:
            return FenceUnavailable("this kernel has no nftables (module nf_tables)")
        case Request(kind=nftables.NEW_TABLE) if lacking:
            return FenceUnavailable("this kernel has no nftables tables that belong to a socket (Linux 5.12)")
        case Request(kind=nftables.NEW_CHAIN) if lacking:
            family = _FAMILY_NAMES[request.table.family]
            return FenceUnavailable(
                f"this kernel's nftables cannot filter {family} (CONFIG_NF_TABLES_{family.upper()})"
            )
        case Request(kind=nftables.NEW_RULE) if lacking:
            return FenceUnavailable("this kernel's nftables lack payload, meta, cmp, lookup or counter expressions")
    return OSError(answer.errno, f"nftables: {errno.errorcode.get(answer.errno, answer.errno)}")
