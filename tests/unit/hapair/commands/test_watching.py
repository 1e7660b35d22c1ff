"""Drawing again and again: in place on a terminal, one after the other elsewhere."""

import io
import os
import signal
import termios
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trio
from rich.console import Console, ConsoleDimensions
from trio.testing import MockClock

from hapair.commands.watching import ended_by_ctrl_c, watch


class Sized(Console):
    """As large as its own terminal; rich asks that of the process."""

    @property
    def size(self) -> ConsoleDimensions:
        return ConsoleDimensions(*os.get_terminal_size(self.file.fileno()))


@dataclass
class Terminal:
    """The end that a person would sit at."""

    master: int
    console: Console
    keyboard: int

    async def until(self, text: str) -> str:
        """Everything that was written until this comes."""
        os.set_blocking(self.master, False)
        read = b""
        with trio.fail_after(60):
            while text.encode() not in read:
                await trio.lowlevel.wait_readable(self.master)
                read += os.read(self.master, 100_000)
        return read.decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """80 columns, 10 lines."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (10, 80))
    with os.fdopen(slave, "w") as out, os.fdopen(os.dup(slave), "r") as keys:
        monkeypatch.setattr("sys.stdin", keys)
        monkeypatch.setenv("TERM", "xterm")
        yield Terminal(master, Sized(file=out, force_terminal=True, highlight=False), keys.fileno())
    os.close(master)


async def test_elsewhere_one_after_the_other(autojump_clock: MockClock) -> None:
    out, drawn = io.StringIO(), iter(range(10))

    async def draw() -> str:
        return f"number {next(drawn)}"

    with trio.move_on_after(2.5):
        await watch(draw, console=Console(file=out))
    assert out.getvalue() == "number 0\nnumber 1\nnumber 2\n"


@pytest.mark.parametrize("key", [b"q", b"Q", b"xq"])
async def test_on_a_terminal_in_place_until_a_key(terminal: Terminal, key: bytes) -> None:
    shown: list[str] = []

    async def draw() -> str:
        return "how it is"

    async def press() -> None:
        shown.append(await terminal.until("q to leave"))
        os.write(terminal.master, key)

    before = termios.tcgetattr(terminal.keyboard)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(press)
            await watch(draw, console=terminal.console)
    assert "how it is" in shown[0]
    assert "\x1b[?1049h" in shown[0]  # a screen of its own, which is left again
    await terminal.until("\x1b[?1049l")
    assert termios.tcgetattr(terminal.keyboard) == before


async def test_another_size_of_the_window_is_drawn_at_once(terminal: Terminal) -> None:
    async def draw() -> str:
        return "\n".join(f"line {n}" for n in range(30))

    async def resize() -> None:
        assert "line 10" not in await terminal.until("line 9")  # cropped, and nothing scrolls
        termios.tcsetwinsize(terminal.keyboard, (20, 80))
        os.kill(os.getpid(), signal.SIGWINCH)
        await terminal.until("line 19")
        os.write(terminal.master, b"q")

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(resize)
            await watch(draw, console=terminal.console, interval_s=60)


def test_ctrl_c_is_a_good_end() -> None:
    with ended_by_ctrl_c():
        raise KeyboardInterrupt
    with ended_by_ctrl_c():
        raise BaseExceptionGroup("of a nursery", [KeyboardInterrupt()])
    with pytest.raises(ValueError, match="a mistake"), ended_by_ctrl_c():
        raise ValueError("a mistake")
