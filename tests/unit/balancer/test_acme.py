"""Answers to ACME challenges, from files."""

import os
from pathlib import Path

import pytest

from balancer.acme import key_authorization


def test_where_a_web_server_would_have_it(tmp_path: Path) -> None:
    folder = tmp_path / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "tok_en-1").write_bytes(b"tok_en-1.thumb")
    assert key_authorization(str(tmp_path), b"tok_en-1") == b"tok_en-1.thumb"


def test_in_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"x")
    assert key_authorization(str(tmp_path), b"token") == b"x"
    assert key_authorization(str(tmp_path), b"other") is None


@pytest.mark.parametrize("token", [b"", b".", b"..", b"../secret", b"a/b", b"a%2fb", b"a" * 129, b"a\n"])
def test_what_can_be_no_token(tmp_path: Path, token: bytes) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    assert key_authorization(str(tmp_path / "below"), token) is None


def test_neither_links_nor_folders_nor_pipes_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert [key_authorization(str(tmp_path), name) for name in (b"link", b"folder", b"pipe")] == [None, None, None]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert key_authorization(str(tmp_path / "file"), b"token") is None
