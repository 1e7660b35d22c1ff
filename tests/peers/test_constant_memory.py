"""However large a body is, and however late its reader: a worker does not grow with it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import streaming
from tests.peers.programs import free_port, running

pytestmark = pytest.mark.slow

BLOCKS = 500
"""130 MB; `benchmarks.streaming` does the same with a gigabyte."""


@pytest.fixture
def origin() -> Iterator[streaming.Origin]:
    with streaming.serving() as origin:
        yield origin


@pytest.mark.parametrize("case", streaming.CASES, ids=lambda case: case.name)
def test_a_worker_does_not_grow(case: streaming.Case, origin: streaming.Origin, issued: Any, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "balancer.serve", "--listen", f"127.0.0.1:{port}"]
    command += ["--server", f"127.0.0.1:{origin.port}", *(["--certificate", str(issued.both)] if case.tls else [])]
    with running(command, port, log=tmp_path / "worker.log") as worker:
        grown = streaming.peak_growth_bytes(worker.pid, port, origin, case, BLOCKS)
    assert grown < 8_000_000
