"""Names to addresses: as the system does it, or where dnspython is there by asking nameservers."""

import socket
from functools import partial
from importlib.util import find_spec

import trio

from balancer.fieldtypes import Endpoint
from balancer.resolution import Answer, Failure, Question, versions
from balancer.standing import Place

_THREADS = trio.CapacityLimiter(16)
"""An answer that nobody waits for any more may still keep a thread: not those of others."""


async def look_up(question: Question) -> Answer | Failure:
    """Ask once; takes no longer than the timeout, and raises nothing that a resolver could cause."""
    timeout_s = question.resolve.timeout_s
    with trio.move_on_after(timeout_s):
        return await _look_up(question)
    return Failure(f"timeout: no answer for {question.name.host} within {timeout_s:g}s")


async def _look_up(question: Question) -> Answer | Failure:
    if find_spec("dns") is None:
        if not question.name.port or question.resolve.nameservers:
            return Failure("no resolver: this needs the package dnspython, pip install 'hapair[dns]'")
        return await system(question)
    from balancer import nameserver  # only here: it needs a library that most nodes need not load

    answer = await nameserver.ask(question)
    if isinstance(answer, Failure) and question.name.port and not question.resolve.nameservers:
        by_system = await system(question)  # /etc/hosts and its kind
        return by_system if isinstance(by_system, Answer) else answer
    return answer


async def system(question: Question) -> Answer | Failure:
    """By getaddrinfo: /etc/hosts, DNS, and whatever else nsswitch.conf names."""
    host, port = question.name.host, question.name.port
    get = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await trio.to_thread.run_sync(get, abandon_on_cancel=True, limiter=_THREADS)
    except socket.gaierror as error:
        return Failure(_reason(host, error))
    addresses = {4: [], 6: []}  # type: dict[int, list[str]]
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            addresses[6 if family == socket.AF_INET6 else 4].append(str(address[0]))
    for group in versions(question.resolve.family):
        if hosts := [host for version in group for host in addresses[version]]:
            return Answer(tuple(Place(Endpoint(host, port)) for host in hosts))
    return Failure(f"no address: {host} has none of family {question.resolve.family}")


def _reason(host: str, error: socket.gaierror) -> str:
    if error.errno == socket.EAI_NONAME:
        return f"NXDOMAIN: nobody knows {host}"
    if error.errno == socket.EAI_NODATA:
        return f"no address: {host} has none"
    return f"resolver: {error.strerror} ({host})"
