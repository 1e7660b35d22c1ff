"""Between the liveness link and the virtual routers of one announcer."""

from collections.abc import Callable, Mapping, Sequence

from hapair.messages import FromPeer
from vrrp.authentication import Signer, Verifier, derive
from vrrp.config import Address, VirtualRouterConfig
from vrrp.liveness.config import LinkConfig, LinkSnapshot
from vrrp.liveness.frames import Advert, Hello, Message
from vrrp.liveness.link import LivenessLink
from vrrp.liveness.ports import LostCause
from vrrp.runner import Runner

ADVERTS = b"adverts"


def make_signer(secret: bytes | None, epoch: int, first_counter: int = 0) -> Signer | None:
    """Signs the adverts of a node that has the pair's secret."""
    return None if secret is None else Signer(derive(secret, ADVERTS), epoch, first_counter)


def make_verifiers(
    secret: bytes | None, routers: Sequence[VirtualRouterConfig], known: Mapping[str, Verifier] | None = None
) -> dict[str, Verifier]:
    """By virtual router, those whose adverts are signed. Those that are `known` go on, with what they have heard."""
    if secret is None:
        return {}
    key, verifiers = derive(secret, ADVERTS), {}
    for router in routers:
        if router.authentication != "off":
            verifier = (known or {}).get(router.name) or Verifier(key, router.authentication)
            verifier.demand(router.authentication)
            verifiers[router.name] = verifier
    return verifiers


class PeerBridge:
    """Hands over what the link brings, and the link what the routers say. Either may be absent."""

    def __init__(
        self,
        config: LinkConfig | None,
        *,
        epoch: int,
        verifiers: Mapping[str, Verifier],
        tell: Callable[[object], None],
        changed: Callable[[], None],
    ) -> None:
        """`tell` takes a message for the node; `changed` is called when the link comes or goes."""
        self.link = None if config is None else LivenessLink(config, observer=self, epoch=epoch)
        self.runner: Runner | None = None
        self.verifiers = dict(verifiers)
        self._hello: Hello | None = None
        """What the peer says of itself, while the link is up."""
        self._tell = tell
        self._changed = changed

    def snapshot(self) -> LinkSnapshot | None:
        """The link now; None: there is none."""
        return None if self.link is None else self.link.snapshot()

    def reload(self, config: LinkConfig | None, verifiers: Mapping[str, Verifier]) -> None:
        """Go on with these. Those that are new are told of the peer's epoch."""
        self.verifiers = dict(verifiers)
        if self.link is not None and config is not None:
            self.link.go_by(config.interval_s)
        if self._hello is not None:
            self._trust(self._hello)

    def sources_may_have_changed(self) -> None:
        """Let the peer know where our adverts come from."""
        if self.link is not None and self.runner is not None:
            self.link.set_sources(self.runner.sources())

    def say(self, data: bytes) -> None:
        """To the peer's node."""
        if self.link is not None:
            self.link.send(Message(data))

    def advertised(self, router: str, source: Address, payload: bytes) -> None:
        """See `vrrp.runner.Peer`."""
        if self.link is not None:
            self.link.send(Advert(router, source, payload))

    def on_up(self, hello: Hello) -> None:
        """See `vrrp.liveness.ports.LinkObserver`."""
        self._met(hello)
        self._changed()

    def on_frame(self, frame: Advert | Message | Hello) -> None:
        """See `vrrp.liveness.ports.LinkObserver`."""
        match frame:
            case Advert(router, source, payload) if self.runner is not None:
                self.runner.peer_advertised(router, source, payload)
            case Message(data):
                self._tell(FromPeer(data))
            case Hello():
                self._met(frame)

    def on_heard(self) -> None:
        """See `vrrp.liveness.ports.LinkObserver`."""
        if self.runner is not None:
            self.runner.peer_heard()

    def on_lost(self, cause: LostCause) -> None:
        """See `vrrp.liveness.ports.LinkObserver`."""
        self._hello = None
        if cause is LostCause.DIED and self.runner is not None:
            self.runner.peer_lost()
        self._changed()

    def _met(self, hello: Hello) -> None:
        self._hello = hello
        self._trust(hello)
        if self.runner is not None:
            self.runner.peer_met(hello.sources)

    def _trust(self, hello: Hello) -> None:
        for source in hello.sources.values():
            for verifier in self.verifiers.values():
                verifier.trust_epoch(source, hello.epoch)
