"""How a verb ends, and what several of them begin with."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hapair.commands.options import (
    config_option,
    end,
    load_or_end,
    node_option,
    pages_or_end,
    runtime_option,
    view_or_end,
)

GOOD = "pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "f.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_an_end_is_one_line_on_stderr_and_an_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        end(3, "no hapair answers")
    assert caught.value.code == 3
    assert capsys.readouterr() == ("", "hapair: no hapair answers\n")


def test_a_file_that_does_not_hold_together_ends_with_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_or_end(tmp_path / "none.yaml")
    assert caught.value.code == 78
    assert capsys.readouterr().err == f"{tmp_path}/none.yaml:1:1: cannot be read: No such file or directory\n"


def test_a_node_is_known_by_the_name_given_or_by_its_host_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_or_end(path)
    monkeypatch.setattr("socket.gethostname", lambda: "pi-b")
    assert view_or_end(loaded, "pi-a").node == "pi-a"
    assert view_or_end(loaded, None).node == "pi-b"


def test_a_stranger_ends_with_78(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        view_or_end(load_or_end(path), "nobody")
    assert caught.value.code == 78
    assert capsys.readouterr().err == (
        f"hapair: this machine calls itself 'nobody', and {path} names pi-a and pi-b in pair.nodes. "
        "Write this machine's host name there, or start with --node NAME\n"
    )


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @config_option
    @node_option
    @runtime_option
    def command(path: Path, node: str | None, runtime_dir: Path) -> None:
        click.echo(f"{path} {node} {runtime_dir}")

    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    assert CliRunner().invoke(command).stdout == "/etc/hapair/hapair.yaml None /run/hapair\n"
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/other")
    assert CliRunner().invoke(command).stdout == "/etc/hapair/hapair.yaml None /run/other\n"
    given = ["-c", "a.yaml", "--node", "n", "--runtime-dir", "d"]
    assert CliRunner().invoke(command, given).stdout == "a.yaml n d\n"


def test_pages_are_read_or_the_verb_ends_with_78(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(GOOD + 'frontends: {web: {listen: [":80"], maintenance: sorry.html}}\n', encoding="utf-8")
    loaded = load_or_end(path)
    with pytest.raises(SystemExit) as caught:
        pages_or_end(loaded, view_or_end(loaded, "pi-a"))
    assert caught.value.code == 78
    assert "sorry.html cannot be read" in capsys.readouterr().err
    (path.parent / "sorry.html").write_bytes(b"sorry")
    assert pages_or_end(loaded, view_or_end(loaded, "pi-a")).balancer.files == {"sorry.html": b"sorry"}
