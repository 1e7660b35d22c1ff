"""Files whose text answers are made of: found beside the configuration, read once, each mistake where it stands."""

from pathlib import Path

import pytest

from hapair.config import ConfigError, load, read_pages

FILE = """\
pair: {nodes: {a: 192.0.2.1, b: 192.0.2.2}}
frontends:
  web:
    listen: [":80"]
    pool: main
    error_pages: {503: pages/sorry.html, 502: pages/sorry.html}
    routes:
      - {path: /about, respond: {body_file: about.txt}}
pools:
  main: {servers: {one: "192.0.2.3:80"}, sorry_page: /nowhere/at/all.html}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hapair.yaml"
    path.write_text(FILE)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "sorry.html").write_bytes(b"sorry")
    (tmp_path / "about.txt").write_bytes(b"about")
    return path


def test_each_is_read_once_and_relative_to_the_file(file: Path) -> None:
    file.write_text(FILE.replace("/nowhere/at/all.html", "about.txt"))
    assert read_pages(load(file)) == {"pages/sorry.html": b"sorry", "about.txt": b"about"}


def test_a_file_without_pages_reads_nothing(file: Path) -> None:
    file.write_text(FILE.partition("    error_pages")[0] + "pools:\n  main: {servers: {one: '192.0.2.3:80'}}\n")
    assert read_pages(load(file)) == {}


def test_what_cannot_be_read_is_named_where_it_stands(file: Path) -> None:
    (file.parent / "pages" / "sorry.html").write_bytes(b"x" * (256 * 1024 + 1))
    with pytest.raises(ConfigError) as refused:
        read_pages(load(file))
    assert str(refused.value).splitlines() == [
        f"{file}:6:24: frontends.web.error_pages.503: pages/sorry.html is larger than 256KiB",
        f"{file}:10:54: pools.main.sorry_page: /nowhere/at/all.html cannot be read: No such file or directory",
    ]


def test_all_together_have_a_limit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(FILE.replace("/nowhere/at/all.html", "about.txt"))
    monkeypatch.setattr("hapair.config.pages.MOST_BYTES_IN_ALL", 9)
    with pytest.raises(ConfigError, match="all pages together are larger"):
        read_pages(load(file))
