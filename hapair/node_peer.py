"""The node tells its peer how it is, and keeps what the peer says of itself."""

import logging
from collections.abc import Callable
from dataclasses import replace

import trio

from hapair import __version__
from hapair.config.types import HapairFile
from hapair.events.event import Happening
from hapair.peer.drift import digests
from hapair.peer.link import PeerLink
from hapair.peer.messages import FileDigests, Status
from hapair.peer.standing import PeerStanding, both_active, split_brain, split_news
from hapair.snapshot import NodeSnapshot
from hapair.wire import to_plain
from vrrp.liveness.config import LinkConfig
from vrrp.liveness.ports import Transport

log = logging.getLogger(__name__)

PORT_AFTER = 2
"""Behind the link's own: the flows process has the one between."""
_SHARE = 100
"""Telling takes at most one part in so many of this process's time."""
_LONGEST_S = 10.0


class NodePeer:
    """`run` must run. Without a link there is no peer, and nothing happens."""

    def __init__(
        self,
        config: LinkConfig | None,
        file: HapairFile | None,
        record: Callable[[Happening], object],
        *,
        transport: Transport | None = None,
    ) -> None:
        """`config`: the liveness link's. `record`: takes events."""
        self.link: PeerLink | None = None
        self.greetings: list[Callable[[], None]] = []
        """Called when the link is up: what was posted before is lost."""
        self._record = record
        self._post_at = 0.0
        self._both_active: tuple[str, ...] = ()
        if config is None or file is None:
            return
        own = replace(config, port=config.port + PORT_AFTER, purpose="node")
        self.link = PeerLink(own, on_change=self._changed, transport=transport)
        self._secret = config.secret
        self._standing = PeerStanding(
            node=config.node,
            peer=config.peer,
            address=str(config.peer_address),
            digests=digests(file, config.secret),
        )
        self.link.hear(Status, self._says)
        self.link.hear(FileDigests, self._has_file)

    @property
    def is_needed(self) -> bool:
        """There is a peer to talk with."""
        return self.link is not None

    async def run(self) -> None:
        """For ever."""
        if self.link is not None:
            await self.link.run()

    def _changed(self) -> None:
        if self.link is not None and self.link.up:
            log.info("the node processes hear each other", extra={"peer": self._standing.peer})
            self._post_at = 0.0
            self.link.post(FileDigests(self._standing.digests), key=FileDigests)
            for greet in self.greetings:
                greet()

    def reloaded(self, file: HapairFile) -> None:
        """This node runs with another file from now on."""
        if self.link is not None:
            self._standing = self._standing.reloaded(digests(file, self._secret), trio.current_time())
            self.link.post(FileDigests(self._standing.digests), key=FileDigests)

    def looked(self, node: NodeSnapshot) -> None:
        """This is how this node looks now. To be told once a second."""
        if self.link is None:
            return
        now = trio.current_time()
        self._standing, happening = self._standing.news(now)
        both = () if node.peer is None else both_active(node, node.peer)
        split = split_news(self._both_active, both, self._standing.peer)
        self._both_active = both
        for one in (happening, split):
            if one is not None:
                self._record(one)
        if self.link.up and now >= self._post_at:
            self.link.post(Status(__version__, to_plain(replace(node, peer=None))), key=Status)
            self._post_at = now + min(_LONGEST_S, _SHARE * (trio.current_time() - now))

    def _says(self, status: Status) -> None:
        self._standing = self._standing.says(status, trio.current_time())

    def _has_file(self, file: FileDigests) -> None:
        self._standing = self._standing.has_file(file, trio.current_time())

    def with_peer(self, node: NodeSnapshot) -> NodeSnapshot:
        """The same, with what is known of the peer."""
        if self.link is None:
            return node
        up, since_at, waits_for = self.link.up, self.link.since_at, self.link.waits_for
        peer = self._standing.view(trio.current_time(), up=up, since_at=since_at, waits_for=waits_for)
        return replace(node, peer=replace(peer, warnings=(*split_brain(node, peer), *peer.warnings)))
