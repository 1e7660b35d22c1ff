"""What a refusal by the kernel means. The fence itself is tried in tests/netns/test_fence.py."""

import errno

import pytest

from vrrp.linux import nftables as nft
from vrrp.linux.fence import FenceUnavailable, refusal_of
from vrrp.linux.nftables import Answer, Table

ARP, IPV6 = Table(nft.ARP, "hapair_fence"), Table(nft.IPV6, "hapair_fence")
REQUESTS = [
    nft.add_table(ARP, owned=True),
    nft.add_chain(ARP, "output", hook=1, priority=0),
    nft.add_rule(ARP, "output", nft.count()),
    nft.add_chain(IPV6, "output", hook=3, priority=0),
    *nft.add_elements(IPV6, "open", [bytes(16)]),
]


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (0, errno.EOPNOTSUPP, "this kernel has no nftables (module nf_tables)"),
        (1, errno.EOPNOTSUPP, "this kernel has no nftables tables that belong to a socket (Linux 5.12)"),
        (1, errno.EINVAL, "this kernel has no nftables tables that belong to a socket (Linux 5.12)"),
        (2, errno.ENOENT, "this kernel's nftables cannot filter ARP (CONFIG_NF_TABLES_ARP)"),
        (4, errno.EOPNOTSUPP, "this kernel's nftables cannot filter IPv6 (CONFIG_NF_TABLES_IPV6)"),
        (3, errno.ENOENT, "this kernel's nftables lack payload, meta, cmp, lookup or counter expressions"),
    ],
)
def test_a_kernel_that_cannot_do_it(number, code, words):
    refusal = refusal_of(Answer(number, code), REQUESTS)
    assert isinstance(refusal, FenceUnavailable)
    assert str(refusal) == words


@pytest.mark.parametrize(
    ("number", "code"), [(0, errno.EPERM), (2, errno.ENOMEM), (5, errno.ENOENT), (1, errno.EEXIST)]
)
def test_anything_else_is_an_os_error(number, code):
    refusal = refusal_of(Answer(number, code), REQUESTS)
    assert isinstance(refusal, OSError)
    assert refusal.errno == code


def test_missing_privileges_have_their_own_type():
    assert isinstance(refusal_of(Answer(0, errno.EPERM), REQUESTS), PermissionError)
