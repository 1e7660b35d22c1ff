"""The pair's secret: made once, for few eyes, and taken from nowhere else."""

import grp
import os
import stat
from pathlib import Path

import pytest

from hapair import secret
from hapair.secret import SecretError, group_of_service, load, make

TEXT = "00112233445566778899aabbccddeeff" * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pair.key"


def written(path: Path, text: str = TEXT, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def said(path: Path) -> str:
    with pytest.raises(SecretError) as caught:
        load(path)
    return str(caught.value)


def test_what_is_made_can_be_loaded(path: Path) -> None:
    make(path)
    assert len(load(path)) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_two_are_alike(path: Path, tmp_path: Path) -> None:
    make(path)
    make(tmp_path / "other.key")
    assert load(path) != load(tmp_path / "other.key")


def test_a_umask_opens_nothing(path: Path) -> None:
    before = os.umask(0)
    try:
        make(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_group_may_read(path: Path) -> None:
    make(path, group=os.getegid())
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_gid == os.getegid()
    assert len(load(path)) == 32


def test_one_that_is_there_is_left_as_it_is(path: Path) -> None:
    written(path)
    with pytest.raises(SecretError, match="is there already; both nodes need the same one, so it is left as it is"):
        make(path)
    assert path.read_text() == TEXT


def test_a_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretError):
        make(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"none/pair\.key cannot be made: No such file or directory"):
        make(tmp_path / "none" / "pair.key")


@pytest.mark.parametrize("text", [TEXT, TEXT + "\n"])
def test_what_it_says(path: Path, text: str) -> None:
    assert load(written(path, text)) == bytes.fromhex(
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    )


@pytest.mark.parametrize("text", ["", "secret", TEXT[:-1], TEXT + "0", TEXT.upper(), TEXT + "\n\n", TEXT * 99])
def test_what_is_no_secret(path: Path, text: str) -> None:
    assert said(written(path, text)) == (
        f"{path} is not a secret of hapair's, 64 hexadecimal digits; `hapair init` makes one"
    )


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o606, 0o620, 0o660, 0o601, 0o650])
def test_one_that_is_open_to_others_is_refused(path: Path, mode: int) -> None:
    assert said(written(path, mode=mode)) == (
        f"{path} is open to others (mode {mode:04o}): chmod 0600, or 0640 for the group hapair to read"
    )


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_modes_that_do(path: Path, mode: int) -> None:
    assert len(load(written(path, mode=mode))) == 32


def test_one_that_is_missing(path: Path) -> None:
    assert said(path) == f"{path} is not there: make it with `hapair init`, or copy it from the other node"


def test_a_folder_and_a_fifo_are_no_files(path: Path, tmp_path: Path) -> None:
    assert said(tmp_path) == f"{tmp_path} is not a regular file"
    os.mkfifo(path, 0o600)
    assert said(path) == f"{path} is not a regular file"


def test_one_of_a_stranger_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        try:
            os.chown(written(path), 12345, -1)
        except OSError:
            pytest.skip("this user namespace has no other user")
    else:
        written(path)
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert said(path).endswith("chown root")


def test_the_group_of_the_service_where_root_can_give_it_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    name = grp.getgrgid(os.getegid()).gr_name
    assert group_of_service(name) == os.getegid()
    assert group_of_service("no-such-group") is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert group_of_service(name) is None


def test_a_secret_has_32_bytes() -> None:
    assert secret.SECRET_BYTES == 32
