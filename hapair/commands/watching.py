"""Draws something again each second, until q or Ctrl-C: in place on a terminal, one after the other elsewhere."""

import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live

INTERVAL_S = 1.0
_QUIT = (b"q", b"Q", b"\x03", b"\x04")

Draw = Callable[[], Awaitable[RenderableType]]


async def watch(draw: Draw, *, interval_s: float = INTERVAL_S, console: Console | None = None) -> None:
    """Until q, Ctrl-C, or the reader of a pipe leaves."""
    console = console or Console()
    if console.is_terminal and sys.stdin.isatty():
        with _keys(sys.stdin.fileno()):
            await _watch_terminal(draw, interval_s, console, sys.stdin.fileno())
    else:
        await _watch_plainly(draw, interval_s, console)


async def _watch_plainly(draw: Draw, interval_s: float, console: Console) -> None:
    while True:
        console.print(await draw())
        await trio.sleep(interval_s)


async def _watch_terminal(draw: Draw, interval_s: float, console: Console, keyboard: int) -> None:
    drawn: RenderableType = ""
    # No thread of rich's: it is drawn when there is something new, and when the window has another size.
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:

        def show() -> None:
            live.update(Group(drawn, "[dim]q to leave[/]"), refresh=True)

        async def redraw_on_resize(sizes: AsyncIterator[int]) -> None:
            async for _ in sizes:
                show()

        with trio.open_signal_receiver(signal.SIGWINCH) as sizes:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_quit, keyboard, nursery.cancel_scope)
                nursery.start_soon(redraw_on_resize, sizes)
                while True:
                    drawn = await draw()
                    show()
                    await trio.sleep(interval_s)


async def _until_quit(keyboard: int, scope: trio.CancelScope) -> None:
    while True:
        await trio.lowlevel.wait_readable(keyboard)
        pressed = os.read(keyboard, 64)
        if not pressed or any(key in pressed for key in _QUIT):
            scope.cancel()
            return


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Ctrl-C is how this is meant to end."""
    try:
        yield
    except* KeyboardInterrupt:
        pass


@contextmanager
def _keys(keyboard: int) -> Iterator[None]:
    """Each key at once, and not shown."""
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
