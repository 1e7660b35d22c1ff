"""`hapair capture`"""

import errno
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click
import trio

from hapair.commands.options import FAILED, config_option, end, load_or_end, node_option, view_or_end
from hapair.commands.watching import ended_by_ctrl_c
from vrrp.linux.tap import Tap


@click.command("capture")
@click.option("-i", "--interface", "interfaces", multiple=True, help="Again for several; those of the file by default.")
@click.option(
    "-w", "--write", "pcap", type=click.Path(path_type=Path, dir_okay=False), help="The frames, as a pcap file."
)
@click.option("-n", "--count", type=click.IntRange(1), default=None, help="End after so many.")
@config_option
@node_option
def command(interfaces: tuple[str, ...], pcap: Path | None, count: int | None, path: Path, node: str | None) -> None:
    """Show adverts, ARP and neighbour discovery on the interfaces of the virtual routers, explained, until Ctrl-C.

    It needs CAP_NET_RAW: run it as root. Nothing but these is captured.
    """
    if not interfaces:
        view = view_or_end(load_or_end(path), node)
        interfaces = tuple(dict.fromkeys(router.interface for router in view.routers))
    if not interfaces:
        end(FAILED, "there are no virtual routers in the file: say --interface")
    with ended_by_ctrl_c():
        try:
            trio.run(_capture, interfaces, pcap, count)
        except PermissionError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else "capturing needs CAP_NET_RAW"
            end(FAILED, f"{what}; run it as root (sudo hapair capture)")
        except OSError as error:
            end(FAILED, _words(error, interfaces, pcap))


def _words(error: OSError, interfaces: tuple[str, ...], pcap: Path | None) -> str:
    if error.errno == errno.ENODEV:
        return f"there is no interface {' or '.join(interfaces)}; `ip link` names those there are"
    if error.errno == errno.ENETDOWN:
        return f"{' or '.join(interfaces)} is down"
    return f"{error.filename or pcap or ''}: {error.strerror}"


async def _capture(interfaces: tuple[str, ...], pcap: Path | None, count: int | None) -> None:
    with ExitStack() as stack:
        taps = []
        for name in interfaces:
            tap = Tap(name)
            stack.callback(tap.close)
            taps.append(tap)
        from hapair.capture.explain import explain  # scapy takes its time; nobody else pays for it
        from hapair.capture.pcap import Pcap

        file = None if pcap is None else stack.enter_context(Pcap(pcap))
        click.echo(f"listening on {', '.join(interfaces)}; Ctrl-C ends it", err=True)
        left = count

        def take(interface: str, frame: bytes, done: Callable[[], None]) -> None:
            nonlocal left
            now = datetime.now().astimezone()
            if file is not None:
                file.write(frame, now.timestamp())
            where = f"{interface} " if len(interfaces) > 1 else ""
            click.echo(f"{now:%H:%M:%S}.{now.microsecond // 1000:03} {where}{explain(frame)}")
            sys.stdout.flush()
            if left is not None:
                left -= 1
                if left <= 0:
                    done()

        async with trio.open_nursery() as nursery:
            for tap in taps:
                nursery.start_soon(_listen, tap, take, nursery.cancel_scope.cancel)


async def _listen(tap: Tap, take: Callable[[str, bytes, Callable[[], None]], None], done: Callable[[], None]) -> None:
    while True:
        take(tap.interface, await tap.next_frame(), done)
        await trio.lowlevel.checkpoint()
