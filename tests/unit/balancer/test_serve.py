"""One worker by itself, as a program."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from balancer.serve import main
from balancer.testing import ListeningPeer


@pytest.mark.slow
def test_serves_until_told_to_stop() -> None:
    server = ListeningPeer()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--listen", f"127.0.0.1:{port}", "--server", str(server.endpoint), "--mode", "tcp"]
    worker = subprocess.Popen([sys.executable, "-m", "balancer.serve", *arguments])
    try:
        client = connect(port, worker)
        client.sendall(b"through")
        accepted = server.accept()
        assert accepted.recv(100) == b"through"
        accepted.close()
        client.close()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    finally:
        worker.kill()
        worker.wait()
        server.close()


def connect(port: int, worker: subprocess.Popen[bytes]) -> socket.socket:
    while worker.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except ConnectionRefusedError:
            os.sched_yield()
    raise AssertionError("the worker ended")


def test_bad_arguments_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--listen", "nonsense", "--server", "127.0.0.1:1"])
    assert caught.value.code == 2
    assert "--listen" in capsys.readouterr().err
