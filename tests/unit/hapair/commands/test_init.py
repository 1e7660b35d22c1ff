"""`hapair init`: makes the secret, and says what comes next."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hapair import secret
from hapair.commands.init import command
from hapair.secret import load

FILE = """\
pair:
  nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}
"""


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "group_of_service", lambda: None)


def init(folder: Path, text: str | None) -> Result:
    if text is not None:
        (folder / "hapair.yaml").write_text(text)
    return CliRunner().invoke(command, ["--config", str(folder / "hapair.yaml"), "--node", "pi-a"])


def test_everything_that_is_to_be_done(tmp_path: Path) -> None:
    result = init(tmp_path, FILE)
    assert result.exit_code == 0
    assert len(load(tmp_path / "pair.key")) == 32
    assert (
        result.stdout
        == f"""\
made {tmp_path}/pair.key, which only its owner can read

Name it in {tmp_path}/hapair.yaml, on both nodes:

  pair:
    secret_file: pair.key

Copy it to the other node; it must be the same on both:

  sudo scp -p {tmp_path}/pair.key root@192.0.2.12:{tmp_path}/pair.key

Then restart one node, see that it is well, and restart the other:

  sudo systemctl restart hapair

Where the pair is running already, write `authenticate: permissive` into its virtual routers first, and take
it out again when both nodes have the secret: until then one of them does not sign.
"""
    )


def test_where_the_service_has_a_group_it_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "group_of_service", lambda: tmp_path.stat().st_gid)
    result = init(tmp_path, FILE)
    key = tmp_path / "pair.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o640
    assert result.stdout.startswith(f"made {key}, which only its owner and the group hapair can read\n")
    assert f"\n  sudo chgrp hapair {key}\n" in result.stdout


def test_the_file_s_own_name_for_it(tmp_path: Path) -> None:
    result = init(tmp_path, FILE + "  secret_file: my secret\n")
    assert result.exit_code == 0
    assert len(load(tmp_path / "my secret")) == 32
    assert "Name it" not in result.stdout
    assert f"sudo scp -p '{tmp_path}/my secret' 'root@192.0.2.12:{tmp_path}/my secret'\n" in result.stdout


@pytest.mark.parametrize("text", [None, "pare: {}\n"])
def test_before_there_is_a_file_that_holds_together(tmp_path: Path, text: str | None) -> None:
    result = init(tmp_path, text)
    assert result.exit_code == 0
    assert len(load(tmp_path / "pair.key")) == 32
    assert f"root@THE-OTHER-NODE:{tmp_path}/pair.key" in result.stdout


def test_an_ipv6_address_is_written_as_scp_wants_it(tmp_path: Path) -> None:
    result = init(tmp_path, 'pair: {nodes: {pi-a: "2001:db8::11", pi-b: "2001:db8::12"}}\n')
    assert f"'root@[2001:db8::12]:{tmp_path}/pair.key'" in result.stdout


def test_a_second_time_changes_nothing_and_fails(tmp_path: Path) -> None:
    init(tmp_path, FILE)
    before = load(tmp_path / "pair.key")
    result = init(tmp_path, FILE)
    assert result.exit_code == 1
    assert result.stderr == (
        f"hapair: {tmp_path}/pair.key is there already; both nodes need the same one, so it is left as it is\n"
    )
    assert load(tmp_path / "pair.key") == before
