"""What systemd is told (sd_notify) and what it asks for (the watchdog). The seam to it; silent where it is absent."""

import os
import socket


def notify(state: str) -> None:
    """Send a state such as READY=1. A datagram that systemd does not take is dropped: nothing here depends on it."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.sendto(state.encode(), address)
        except (BlockingIOError, ConnectionRefusedError, FileNotFoundError):
            return


def watchdog_interval_s() -> float | None:
    """How often to send WATCHDOG=1: half of what the unit asks for. None where it does not ask."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not usec.isascii() or not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2_000_000
