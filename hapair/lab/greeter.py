"""A server that says who it is and who asks, over TCP and UDP, and clients that ask it: programs of the lab's hosts.

python -m hapair.lab.greeter serve NAME PORT[,PORT...] [ADDRESS...]
python -m hapair.lab.greeter ask tcp|udp ADDRESS PORT COUNT   prints how many flows got which answer, as JSON
python -m hapair.lab.greeter hold ADDRESS PORT                one connection, and what becomes of it
python -m hapair.lab.greeter talk ADDRESS PORT                one flow of datagrams until input ends: who answered
"""

import json
import os
import select
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Sequence

import trio

from hapair.lab.host import Host

READY = "ready"
PATIENCE_S, HOLD_S = 3.0, 300.0
LOG = "greeter.log"


# -- from outside ---------------------------------------------------------------------------------------------------


def greeter(*words: object) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "hapair.lab.greeter", *map(str, words)]


async def greeting(host: Host, ports: Sequence[int], *addresses: str) -> None:
    """Start the server on a host, under its name, and wait until it listens."""
    await host.start(greeter("serve", host.name, ",".join(map(str, ports)), *addresses), log=LOG)
    with trio.fail_after(20):
        while READY not in heard_by(host):  # noqa: ASYNC110 - a file tells those who read it
            await trio.sleep(0.02)


def heard_by(host: Host) -> str:
    """What the server has printed: that it is ready, and a line for each connection that was reset."""
    return (host.folder / LOG).read_text()


async def asked(host: Host, kind: str, address: str, port: int, count: int) -> dict[str, int]:
    """How many of so many new flows, one after the other, got which answer: `NAME CLIENT`, or the kind of an error."""
    return dict(json.loads((await host.run(greeter("ask", kind, address, port, count))).stdout))


async def holding(host: Host, address: str, port: int) -> tuple[str, trio.Process]:
    """A new connection: who answers, and its process, for `fate_of`."""
    process = await host.start(greeter("hold", address, port), log="hold.log", stdout=subprocess.PIPE)
    assert process.stdout is not None
    return (await process.stdout.receive_some()).decode().strip(), process


async def talking(host: Host, address: str, port: int) -> trio.Process:
    """A flow of datagrams that goes on until `answers_to`."""
    return await host.start(
        greeter("talk", address, port), log="talk.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


async def answers_to(process: trio.Process) -> dict[str, int]:
    """Ends such a flow: who answered how often, and how often there was `silence`."""
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdin.aclose()
    with trio.fail_after(HOLD_S):
        return dict(json.loads(await process.stdout.receive_some()))


async def fate_of(process: trio.Process) -> str:
    """What a held connection ended with."""
    assert process.stdout is not None
    with trio.fail_after(HOLD_S):
        return (await process.stdout.receive_some()).decode().strip()


# -- the programs ---------------------------------------------------------------------------------------------------


async def serve(name: str, ports: Sequence[int], addresses: Collection[str] = ("::",)) -> None:
    """Over TCP an answer for each line, over UDP one for each datagram: name, who asks, and what it said (its length).

    A socket of UDP for each address: what is bound to all of them answers from the wrong one.
    """

    async def converse(stream: trio.SocketStream) -> None:
        peer = stream.socket.getpeername()[0]
        try:
            async for line in stream:
                await stream.send_all(f"{name} {peer} {line.decode()}".encode())
        except trio.BrokenResourceError:
            print("reset", flush=True)

    async def answer(address: str, port: int) -> None:
        with trio.socket.socket(_family(address), socket.SOCK_DGRAM) as datagrams:
            await datagrams.bind((address, port))
            while True:
                data, peer = await datagrams.recvfrom(65536)
                await datagrams.sendto(f"{name} {peer[0]} {len(data)}".encode(), peer)

    async with trio.open_nursery() as nursery:
        for port in ports:
            for address in addresses:
                nursery.start_soon(answer, address, port)
            await nursery.start(trio.serve_tcp, converse, port)
        print(READY, flush=True)


def ask(kind: str, host: str, port: int, count: int) -> Counter[str]:
    """Who answers each of so many new flows."""
    found: Counter[str] = Counter()
    for _ in range(count):
        with socket.socket(_family(host), socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE_S)
            try:
                sock.connect((host, port))
                sock.send(b"hello\n")
                name, peer, _ = sock.recv(4096).decode().split(" ")
                found[f"{name} {peer.removeprefix('::ffff:')}"] += 1
            except OSError as error:
                found[type(error).__name__] += 1
    return found


def talk(host: str, port: int) -> Counter[str]:
    """A datagram after the other from one socket, each once the one before was answered or 0.2 s have passed, until
    there is an end of standard input. Who answered how often; `silence` counts the others."""
    found: Counter[str] = Counter()
    with socket.socket(_family(host), socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect((host, port))
        while not select.select([0], [], [], 0.02)[0]:
            try:
                sock.send(b"hello")
                found[sock.recv(4096).decode().split(" ")[0]] += 1
            except OSError:
                found["silence"] += 1
    return found


def hold(host: str, port: int) -> None:
    """One connection: the name of who answers, then, once there is one, its end: an error, `end` or `data`."""
    with socket.create_connection((host, port), HOLD_S) as sock:
        sock.send(b"hello\n")
        _say(sock.recv(4096).decode().split(" ")[0])
        sock.settimeout(HOLD_S)
        try:
            end = "data" if sock.recv(1) else "end"
        except OSError as error:
            end = type(error).__name__
    _say(end)


def _say(word: str) -> None:
    """In one piece, for who reads it reads once."""
    os.write(1, f"{word}\n".encode())


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def main(words: Sequence[str]) -> None:
    """One of the three."""
    match words:
        case ["serve", name, ports, *addresses]:
            trio.run(serve, name, [int(one) for one in ports.split(",")], tuple(addresses) or ("::",))
        case ["ask", kind, host, port, count]:
            print(json.dumps(ask(kind, host, int(port), int(count))))
        case ["talk", host, port]:
            print(json.dumps(talk(host, int(port))))
        case ["hold", host, port]:
            hold(host, int(port))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
