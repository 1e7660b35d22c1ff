"""What the bridge hands over, each way: the liveness link on one side, a runner that takes notes on the other."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

import pytest

from hapair.announcer_peer import PeerBridge, make_signer, make_verifiers
from hapair.messages import FromPeer
from vrrp.advertisement import Advertisement, AdvertRejected, RejectReason, encode
from vrrp.authentication import LAST_WILL_COUNTER
from vrrp.config import VirtualRouterConfig
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.frames import Advert, Hello, Message
from vrrp.liveness.ports import LostCause

SECRET = bytes(range(32))
OURS, THEIRS = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
LAN = VirtualRouterConfig(
    name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.100/24"),), authentication="required"
)
FOREIGN = replace(LAN, name="foreign", vrid=52, authentication="off")
SIX = replace(LAN, name="six", addresses=(IPv6Interface("fe80::10/64"),), authentication="permissive")
LINK = LinkConfig(node="pi-a", peer="pi-b", address=OURS, peer_address=THEIRS, port=1339, secret=SECRET, interval_s=0.1)
HELLO = Hello(node="pi-b", epoch=7, incarnation=1, sources={"lan": THEIRS})


class FakeRunner:
    """Takes notes."""

    def __init__(self):
        self.told = []

    def sources(self):
        return {"lan": OURS}

    def peer_met(self, sources):
        self.told.append(("met", dict(sources)))

    def peer_heard(self):
        self.told.append(("heard",))

    def peer_lost(self):
        self.told.append(("lost",))

    def peer_advertised(self, router, source, payload):
        self.told.append(("advertised", router, source, payload))


class FakeLink:
    """Takes notes."""

    def __init__(self):
        self.sent = []
        self.sources = []

    def send(self, frame):
        self.sent.append(frame)
        return True

    def go_by(self, interval_s):
        self.sent.append(f"every {interval_s} s")

    def set_sources(self, sources):
        self.sources.append(dict(sources))


class Bench:
    """A bridge between fakes."""

    def __init__(self, config=LINK):
        self.told = []
        self.changes = 0
        self.verifiers = make_verifiers(SECRET, [LAN, FOREIGN])
        self.bridge = PeerBridge(
            config, epoch=7, verifiers=self.verifiers, tell=self.told.append, changed=self._changed
        )
        self.bridge.runner = self.runner = FakeRunner()

    def _changed(self):
        self.changes += 1


@pytest.fixture
def bench():
    return Bench()


def payload(priority=100):
    advert = Advertisement(vrid=51, priority=priority, max_advert_interval_cs=10, addresses=LAN.vips)
    return encode(advert, source=THEIRS, checksum="rfc5798")


def test_a_pair_without_a_secret_signs_nothing_and_demands_nothing():
    assert make_signer(None, 7) is None
    assert make_verifiers(None, [LAN]) == {}


def test_those_whose_adverts_are_signed_have_a_verifier():
    assert list(make_verifiers(SECRET, [LAN, FOREIGN, SIX])) == ["lan", "six"]


def test_what_one_node_signs_the_other_takes():
    verifier = make_verifiers(SECRET, [LAN])["lan"]
    signed = make_signer(SECRET, 7).sign(payload(), THEIRS)
    assert verifier.verify(signed, THEIRS) == payload()
    with pytest.raises(AdvertRejected) as refused:
        verifier.verify(make_signer(SECRET[::-1], 7).sign(payload(), THEIRS), THEIRS)
    assert refused.value.reason is RejectReason.AUTHENTICATION


def test_a_last_will_is_taken_after_all_that_the_announcer_signed():
    verifier = make_verifiers(SECRET, [LAN])["lan"]
    announcer, will = make_signer(SECRET, 7), make_signer(SECRET, 7, LAST_WILL_COUNTER)
    for _ in range(100):
        verifier.verify(announcer.sign(payload(), THEIRS), THEIRS)
    assert verifier.verify(will.sign(payload(0), THEIRS), THEIRS) == payload(0)


def test_each_router_that_is_permissive_lets_unsigned_ones_through():
    verifiers = make_verifiers(SECRET, [LAN, replace(LAN, name="rollout", authentication="permissive")])
    assert verifiers["rollout"].verify(payload(), THEIRS) == payload()
    with pytest.raises(AdvertRejected):
        verifiers["lan"].verify(payload(), THEIRS)


def test_the_link_is_up(bench):
    bench.bridge.on_up(HELLO)
    assert bench.runner.told == [("met", {"lan": THEIRS})]
    assert bench.changes == 1


def test_the_peers_epoch_is_trusted_as_the_link_tells_it(bench):
    """A recording from a former life of the peer is refused from the first moment on."""
    bench.bridge.on_up(HELLO)
    old = make_signer(SECRET, 6).sign(payload(0), THEIRS)
    with pytest.raises(AdvertRejected) as refused:
        bench.verifiers["lan"].verify(old, THEIRS)
    assert refused.value.reason is RejectReason.REPLAY


def test_what_the_link_brings(bench):
    bench.bridge.on_frame(Advert("lan", THEIRS, b"an advert"))
    bench.bridge.on_frame(Message(b"from node to node"))
    bench.bridge.on_frame(HELLO)
    bench.bridge.on_heard()
    assert bench.runner.told == [
        ("advertised", "lan", THEIRS, b"an advert"),
        ("met", {"lan": THEIRS}),
        ("heard",),
    ]
    assert bench.told == [FromPeer(b"from node to node")]


@pytest.mark.parametrize(("cause", "told"), [(LostCause.DIED, [("lost",)]), (LostCause.ENDED, [])])
def test_only_a_death_is_a_resignation(bench, cause, told):
    bench.bridge.on_lost(cause)
    assert bench.runner.told == told
    assert bench.changes == 1


def test_what_the_routers_say_goes_by_the_link(bench):
    bench.bridge.link = link = FakeLink()
    bench.bridge.advertised("lan", OURS, b"an advert")
    bench.bridge.say(b"from node to node")
    bench.bridge.sources_may_have_changed()
    assert link.sent == [Advert("lan", OURS, b"an advert"), Message(b"from node to node")]
    assert link.sources == [{"lan": OURS}]


def test_without_a_link_nothing_is_said_and_nothing_fails():
    bridge = Bench(config=None).bridge
    bridge.advertised("lan", OURS, b"an advert")
    bridge.say(b"from node to node")
    bridge.sources_may_have_changed()
    assert bridge.snapshot() is None


def test_what_comes_before_the_routers_are_there_is_passed_over(bench):
    bench.bridge.runner = None
    bench.bridge.on_up(HELLO)
    bench.bridge.on_frame(Advert("lan", THEIRS, b"an advert"))
    bench.bridge.on_heard()
    bench.bridge.on_lost(LostCause.DIED)
    bench.bridge.sources_may_have_changed()
    assert bench.changes == 2


def test_the_snapshot_is_the_links(bench):
    assert bench.bridge.snapshot().peer == "pi-b"
    assert bench.bridge.snapshot().up is False


def signed(epoch, number=0):
    signer = make_signer(SECRET, epoch, number)
    advert = Advertisement(vrid=51, priority=1, max_advert_interval_cs=10, addresses=(IPv4Address("192.0.2.100"),))
    payload = encode(advert, source=THEIRS, destination=IPv4Address("224.0.0.18"), checksum="rfc5798")
    return signer.sign(payload, THEIRS)


def test_who_is_signed_from_now_on_knows_the_peers_epoch(bench):
    bench.bridge.link = FakeLink()
    bench.bridge.on_up(HELLO)
    verifiers = make_verifiers(SECRET, [LAN, SIX], bench.bridge.verifiers)
    assert verifiers["lan"] is bench.verifiers["lan"]
    bench.bridge.reload(replace(LINK, interval_s=0.5), verifiers)
    assert bench.bridge.link.sent == ["every 0.5 s"]
    with pytest.raises(AdvertRejected, match="epoch 6, now it is 7"):
        verifiers["six"].verify(signed(6), THEIRS)
    assert len(verifiers["six"].verify(signed(7), THEIRS)) == 12


def test_after_the_link_was_lost_nobody_is_told_of_an_old_epoch(bench):
    bench.bridge.on_up(HELLO)
    bench.bridge.on_lost(LostCause.ENDED)
    verifiers = make_verifiers(SECRET, [SIX])
    bench.bridge.reload(None, verifiers)
    assert len(verifiers["six"].verify(signed(6), THEIRS)) == 12


def test_what_was_heard_stays_known_where_signatures_are_demanded_from_now_on():
    permissive = make_verifiers(SECRET, [SIX])
    permissive["six"].verify(signed(7), THEIRS)
    required = make_verifiers(SECRET, [replace(SIX, authentication="required")], permissive)
    with pytest.raises(AdvertRejected, match="number 0"):
        required["six"].verify(signed(7), THEIRS)
    with pytest.raises(AdvertRejected, match="without a signature"):
        required["six"].verify(signed(7)[:12], THEIRS)
