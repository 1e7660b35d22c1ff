"""`hapair check`: everything that is wrong, exit status 78; or that it holds together."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from hapair.commands.check import command

GOOD = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
frontends: {web: {listen: [":80"], pool: web}}
pools: {web: {servers: {web1: "192.0.2.21:80"}}}
"""
BROKEN = GOOD.replace("pool: web", "pool: wbe").replace("listen", "lisen")


def run(path: Path, text: str, *options: str) -> Result:
    path.write_text(text, encoding="utf-8")
    return CliRunner().invoke(command, [str(path), *options])


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    result = run(path, GOOD)
    assert result.exit_code == 0
    assert result.stdout == f"{path} holds together: 2 nodes, 0 virtual routers, 1 frontend, 1 pool\n"
    assert result.stderr == ""


def test_a_broken_file_says_everything_on_stderr_and_exits_with_78(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    result = run(path, BROKEN)
    assert result.exit_code == 78
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{path}:2:13: frontends.web.listen: is missing",
        f"{path}:2:19: frontends.web.lisen: unknown key; did you mean listen?",
        f"{path}:2:35: frontends.web.pool: there is no pool wbe; did you mean web?",
    ]


def test_for_machines(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    result = run(path, BROKEN, "--json")
    assert result.exit_code == 78
    document = json.loads(result.stdout)
    assert document["file"] == str(path)
    assert document["problems"][1] == {
        "line": 2,
        "column": 19,
        "where": "frontends.web.lisen",
        "message": "unknown key; did you mean listen?",
    }
    assert json.loads(run(path, GOOD, "--json").stdout) == {"problems": [], "warnings": []}


def test_a_warning_is_no_failure(tmp_path: Path) -> None:
    result = run(tmp_path / "f.yaml", "pair: {nodes: {solo: 192.0.2.1}}\n")
    assert result.exit_code == 0
    assert result.stderr == "warning: pair.nodes has one node: nothing takes over when it fails\n"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "none.yaml")])
    assert result.exit_code == 78
    assert result.stderr == f"{tmp_path}/none.yaml:1:1: cannot be read: No such file or directory\n"


def test_a_page_that_is_not_there(tmp_path: Path) -> None:
    page = 'frontends: {web: {listen: [":80"], maintenance: sorry.html}}\n'
    result = run(tmp_path / "f.yaml", "pair: {nodes: {solo: 192.0.2.1}}\n" + page)
    assert result.exit_code == 78
    assert result.stderr == (
        f"{tmp_path}/f.yaml:2:49: frontends.web.maintenance: sorry.html cannot be read: No such file or directory\n"
    )


PROBED = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
frontends: {web: {listen: [":1"], pool: web}}
pools: {web: {check: {tcp: connect}, servers: {web1: "127.0.0.1:1"}}}
"""


def test_every_check_is_run_once_where_that_is_asked_for(tmp_path: Path) -> None:
    result = run(tmp_path / "f.yaml", PROBED, "--probe")
    assert result.exit_code == 1
    row = result.stdout.splitlines()[1].split()
    assert row[:5] == ["web", "web1", "tcp", "127.0.0.1:1", "no"]
    assert row[7:] == ["connection", "refused"]

    (seen,) = json.loads(run(tmp_path / "f.yaml", PROBED, "--probe", "--json").stdout)
    assert (seen["server"], seen["ok"], seen["said"], seen["code"]) == ("web1", False, "connection refused", "L4CON")


def test_where_there_is_nothing_to_probe(tmp_path: Path) -> None:
    result = run(tmp_path / "f.yaml", PROBED.replace("check: {tcp: connect}, ", ""), "--probe")
    assert (result.exit_code, result.stdout) == (0, "no pool has a check\n")


def test_the_file_of_this_machine_is_compared_with_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(GOOD)
    path.chmod(0o644)
    result = CliRunner().invoke(command, ["--config", str(path), "--node", "pi-a"])
    assert result.exit_code == 0
    odd = "pair.nodes.pi-a: 192.0.2.11 is no address of this machine; `ip -br address` shows what it has"
    assert f"warning: {odd}" in result.stderr.splitlines()
