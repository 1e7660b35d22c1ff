import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hapair.changes import store
from hapair.changes.change import Change
from hapair.changes.register import Entry

CHANGE = Change(what="admin", pool="web", server="web1", value="maint", at=1, node="pi-a", by="me")
ENTRIES = (Entry(CHANGE, "held"), Entry(Change(what="weight", pool="w", server="s", value=None, at=2, node="b", by=""),
                                        "spent"))  # fmt: skip
WHOLE = (
    '{"version":1,"changes":[{"change":{"what":"admin","pool":"web","server":"web1","value":"maint","in_file":null,'
    '"at":1,"node":"pi-a","by":"me","local":false},"standing":"held"}]}'
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert store.load(folder) == ()
    store.save(folder, ENTRIES)
    assert store.load(folder) == ENTRIES
    store.save(folder, ENTRIES[:1])
    assert store.load(folder) == ENTRIES[:1]
    assert (folder / "changes").read_text() == WHOLE
    assert (folder / "changes").stat().st_mode & 0o777 == 0o600
    assert os.listdir(folder) == ["changes"]


def test_it_is_durable_before_it_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append(sorted(os.listdir(tmp_path))))
    store.save(tmp_path, ENTRIES)
    assert seen == [["changes.new"], ["changes"]]


def test_one_that_was_cut_off_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "changes.new").symlink_to(tmp_path / "elsewhere")
    store.save(tmp_path, ENTRIES)
    assert store.load(tmp_path) == ENTRIES
    assert not (tmp_path / "elsewhere").exists()


def _written(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text)
        path.chmod(0o600)

    return write


def _linked(path: Path) -> None:
    _written(WHOLE)(path.with_name("other"))
    path.symlink_to(path.with_name("other"))


def _open_to_all(path: Path) -> None:
    _written(WHOLE)(path)
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_written(""), "it is damaged: Expecting value: line 1 column 1 (char 0)"),
        (_written(WHOLE[:100]), "it is damaged: Unterminated string"),
        (_written(WHOLE.replace("maint", "gone")), "it is damaged: 'gone' is no value of admin"),
        (_written(WHOLE.replace('"at":1', '"at":1.5')), "it is damaged: 1.5 is not"),
        (_written(WHOLE.replace('"standing"', '"stood"')), "it is damaged: "),
        (_written(WHOLE.replace('"version":1', '"version":2')), "it is of version 2"),
        (_written("[" * 100_000), "it is damaged: "),
        (_written("[]"), "it is damaged: "),
        (lambda path: path.mkdir(), "it is no file"),
        (lambda path: os.mkfifo(path), "it is no file"),
        (_linked, "Too many levels of symbolic links"),
        (_open_to_all, "others may write it"),
    ],
)
def test_what_cannot_be_believed_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "changes")
    with caplog.at_level(logging.WARNING):
        assert store.load(tmp_path) == ()
    (record,) = caplog.records
    assert record.message == "changes of servers from before this start are ignored"
    assert str(record.__dict__["reason"]).startswith(reason)


def test_nor_one_that_is_too_long(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LIMIT_BYTES", 10)
    store.save(tmp_path, ENTRIES)
    assert store.load(tmp_path) == ()
    assert caplog.records[0].__dict__["reason"] == "it is too long"


def test_nor_one_of_somebody_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(tmp_path, ENTRIES)
    uid = (tmp_path / "changes").stat().st_uid
    if uid == 0:
        os.chown(tmp_path / "changes", 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    if uid == 0:
        assert store.load(tmp_path) == ()
        assert caplog.records[0].__dict__["reason"] == "it belongs to another user"
