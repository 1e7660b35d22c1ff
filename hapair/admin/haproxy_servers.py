"""HAProxy's commands that add servers and remove them: `add server`, `del server`."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from balancer.config import BalancerConfig, Pool, pools_of
from balancer.config_pools import Server
from balancer.fieldtypes import Endpoint
from hapair.admin.haproxy_cli import BY, Command, Refused
from hapair.config.rules import is_name
from hapair.node_membership import in_use
from hapair.node_traffic import NotPossible
from hapair.snapshot import PoolView, ServerView

log = logging.getLogger(__name__)

_EXPECTS: Final = "'server' expects <name> and <addr>[:<port>] as arguments.\n"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_SPAN: Final = re.compile(r"([0-9]{1,9})(us|ms|s|m|h|d)?")
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_HAPROXYS_OWN: Final = frozenset(
    {
        *("cookie", "id", "resolvers", "resolve-opts", "resolve-prefer", "track", "init-addr", "redir", "namespace"),
        *("disabled-on", "proto", "non-stick", "source", "usesrc", "on-marked-down", "on-marked-up", "on-error"),
        *("observe", "error-limit", "fastinter", "downinter", "inter", "rise", "fall", "slowstart", "minconn", "tfo"),
        *("socks4", "ca-file", "crt", "ciphers", "sni", "alpn", "ws", "ssl", "no-ssl", "verify", "send-proxy"),
        *("send-proxy-v2", "check-ssl", "check-sni", "check-send-proxy", "agent-check", "agent-send", "agent-port"),
        *("agent-addr", "agent-inter", "pool-max-conn", "pool-low-conn", "pool-purge-delay", "max-reuse"),
    }
)
"""What a server of HAProxy may have, and has not here: most of it is its pool's."""


class Members(Protocol):
    """hapair.node_membership.Membership."""

    def pool(self, name: str) -> PoolView | None: ...

    def server(self, pool: str, name: str) -> ServerView | None: ...

    async def add(
        self, pool: str, name: str, server: Server, *, by: str, checks: bool = True, agent: bool = True
    ) -> None: ...

    async def remove(self, pool: str, name: str, *, by: str) -> None: ...


class ServerCommands:
    """Of one node; `config` is what it serves now."""

    def __init__(self, members: Members, config: Callable[[], BalancerConfig]) -> None:
        self._members = members
        self._config = config

    def commands(self) -> tuple[Command, ...]:
        """For HaproxyCli."""
        return (
            Command(("add", "server"), "add server <bk>/<srv>", "create a new server", self._add),
            Command(("del", "server"), "del server <bk>/<srv>", "remove a server", self._remove),
        )

    def _named(self, words: Sequence[str]) -> tuple[str, str]:
        pool, slash, server = (words[2] if len(words) > 2 else "").partition("/")
        if not slash or not server:
            raise Refused("Require 'backend/server'.")
        if self._members.pool(pool) is None:
            raise Refused("No such backend.")
        return pool, server

    async def _add(self, words: Sequence[str]) -> str:
        pool, name = self._named(words)
        if self._members.server(pool, name) is not None:
            raise Refused("Already exists a server with the same name in backend.\n")
        if not is_name(name):
            strange = next((one for one in name if not re.fullmatch(r"[A-Za-z0-9_.-]", one)), name[0])
            raise Refused(f"character '{strange}' is not permitted in server name '{name}'.\n")
        if len(words) < 4:
            raise Refused(_EXPECTS)
        config = self._config()
        wanted = parsed(words[4:], name, _address(words[3], _ports_of(config, pool)), config.pools[pool])
        try:
            server = wanted.server()
            await self._members.add(pool, name, server, by=BY, checks=False, agent=wanted.agent)
        except (NotPossible, ValueError) as why:
            raise Refused(f"{why}\n") from why
        log.info("runtime socket", extra={"action": "add server", "server": f"{pool}/{name}"})
        return "New server registered.\n"

    async def _remove(self, words: Sequence[str]) -> str:
        pool, name = self._named(words)
        server = self._members.server(pool, name)
        if server is None:
            raise Refused("No such server.")
        if server.admin != "maint":
            raise Refused("Only servers in maintenance mode can be deleted.")
        if in_use(server) is not None:
            raise Refused("Server still has connections attached to it, cannot remove it.")
        try:
            await self._members.remove(pool, name, by=BY)
        except NotPossible as why:
            raise Refused(str(why)) from why
        log.info("runtime socket", extra={"action": "del server", "server": f"{pool}/{name}"})
        return "Server deleted.\n"


def _ports_of(config: BalancerConfig, pool: str) -> set[int]:
    """Those that its clients connect to."""
    leading = (one for one in config.frontends.values() if pool in pools_of(one))
    return {port for frontend in leading for one in frontend.listen if not one.is_unix for port in one.all_ports}


def _address(text: str, ports: set[int]) -> Endpoint:
    """Without a port it is that of the client's connection, which must then be one and the same. Raises Refused."""
    text = re.sub(r"^(ipv4|ipv6|unix)@", lambda match: "unix:" if match[1] == "unix" else "", text)
    host, colon, port = text.rpartition(":")
    if text.startswith("/"):
        text = f"unix:{text}"
    elif not text.startswith("unix:") and (not colon or not port or text.endswith("]")):
        if len(ports) != 1:
            raise Refused(f"'{text}' needs a port.\n")
        text = f"{text.rstrip(':')}:{next(iter(ports))}"
    elif not text.startswith("unix:") and not (_NUMBER.fullmatch(port) and 1 <= int(port) <= 65_535):
        raise Refused(f"invalid port '{port}'\n")
    elif ":" in host and not host.startswith("["):
        text = f"[{host}]:{port}"
    try:
        return Endpoint.parse_server(text)
    except ValueError as error:
        raise Refused(f"{error}\n") from error


@dataclass(slots=True)
class Wanted:
    """What the words after a server's address come to."""

    address: Endpoint
    numbers: dict[str, int] = field(default_factory=dict)
    backup: bool = False
    disabled: bool = True
    check: bool = False
    agent: bool = False
    check_host: str | None = None
    check_port: int | None = None

    def server(self) -> Server:
        """Raises ValueError."""
        check_address = None
        if self.check_host is not None or self.check_port is not None:
            check_address = Endpoint.parse(
                _joined(self.check_host or self.address.host, self.check_port or self.address.port)
            )
        return Server(
            address=self.address,
            weight=self.numbers.get("weight", 1),
            max_connections=self.numbers.get("maxconn") or None,
            max_queue=self.numbers.get("maxqueue") or None,
            backup=self.backup,
            disabled=self.disabled,
            check=self.check,
            check_address=check_address,
        )


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_FLAGS: Final[Mapping[str, tuple[str, bool]]] = {
    "backup": ("backup", True), "no-backup": ("backup", False), "disabled": ("disabled", True),
    "enabled": ("disabled", False), "check": ("check", True), "no-check": ("check", False),
    "no-agent-check": ("agent", False),
}  # fmt: skip
_COUNTS: Final = ("weight", "maxconn", "maxqueue")


def parsed(words: Sequence[str], name: str, address: Endpoint, pool: Pool) -> Wanted:
    """Raises Refused."""
    wanted, rest = Wanted(address), list(words)
    while rest:
        word = rest.pop(0)
        if word in _FLAGS:
            setattr(wanted, *_FLAGS[word])
        elif word in _COUNTS:
            wanted.numbers[word] = _number(word, name, _value(word, name, rest))
        elif word == "port":
            wanted.check_port = _number(word, name, _value(word, name, rest))
        elif word == "addr":
            wanted.check_host = _value(word, name, rest)
        elif word == "agent-check" and pool.agent is not None:
            wanted.agent = True
        elif not _is_the_pools(word, rest, pool):
            raise Refused(_unknown(word))
    return wanted


def _value(word: str, name: str, rest: list[str]) -> str:
    if not rest:
        raise Refused(f"'{word}' expects a value for server {name}.\n")
    return rest.pop(0)


def _number(word: str, name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Refused(f"'{word}' of server {name} expects a number, not '{text}'.\n")
    number = int(text)
    if word == "weight" and number > 256:
        raise Refused(f"weight of server {name} is not within 0 and 256 ({number})..\n")
    if word == "port" and not 1 <= number <= 65_535:
        raise Refused(f"invalid port '{text}'\n")
    return number


def _is_the_pools(word: str, rest: list[str], pool: Pool) -> bool:
    """What a server has by its pool may be said again, as long as it is the same; what it is of is taken off `rest`."""
    check, tls = pool.check, pool.tls
    match word:
        case "ssl":
            return tls is not None
        case "no-ssl":
            return tls is None
        case "verify" if tls is not None and rest:
            return rest.pop(0) == ("required" if tls.verify else "none")
        case "send-proxy":
            return pool.send_proxy == "v1"
        case "send-proxy-v2":
            return pool.send_proxy == "v2"
        case "no-send-proxy" | "no-send-proxy-v2":
            return pool.send_proxy is None
        case "rise" | "fall" if check is not None and rest:
            return rest.pop(0) == str(check.rise if word == "rise" else check.fall)
        case "inter" if check is not None and rest:
            return _seconds(rest.pop(0)) == check.interval_s
        case "slowstart" if rest:
            return _seconds(rest.pop(0)) == pool.slow_start_s
    return False


def _seconds(text: str) -> float | None:
    match = _SPAN.fullmatch(text)
    return None if match is None else round(int(match[1]) * _SECONDS[match[2] or "ms"], 6)


def _unknown(word: str) -> str:
    if word in _HAPROXYS_OWN:
        return f"'{word}' option is not accepted for dynamic server\n"
    return f"unknown keyword '{word}'\n"
