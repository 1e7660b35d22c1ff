"""What is remembered of a maintenance."""

from pathlib import Path

import pytest

from hapair.maintenance import Maintenance, forget, remember, remembered


def test_it_is_remembered_until_it_is_over(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert remembered(folder) is None
    remember(folder, Maintenance(by="anna from 192.0.2.7", since=1_700_000_000.5))
    found = remembered(folder)
    assert found == Maintenance(by="anna from 192.0.2.7", since=1_700_000_000.5)
    assert found.reason == "in maintenance, by anna from 192.0.2.7"
    forget(folder)
    assert remembered(folder) is None
    forget(folder)


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"by": 1}', b"[]", b"\xff" * 9000, b"[" * 5000, b'{"by":"a","since":"x"}']
)
def test_a_file_that_cannot_be_read_keeps_the_node_out(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "maintenance").write_bytes(data)
    assert remembered(tmp_path) == Maintenance(by="a file that cannot be read", since=0.0)
