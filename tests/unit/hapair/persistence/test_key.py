"""The key of cookies is the pair's, or kept."""

from pathlib import Path

from hapair.persistence.key import cookie_key


def test_both_nodes_have_the_same_from_their_secret(tmp_path: Path) -> None:
    key = cookie_key(bytes(32), tmp_path)
    assert key.hex() == "e32f4adae0d569231f360c4b6803e7543ca0b9ded2caf6cde376a8ed99124028"
    assert cookie_key(bytes(32), tmp_path / "elsewhere") == key
    assert cookie_key(b"\1" * 32, tmp_path) != key
    assert list(tmp_path.iterdir()) == []


def test_a_single_node_keeps_one_for_itself_alone(tmp_path: Path) -> None:
    key = cookie_key(None, tmp_path)
    assert len(key) == 32
    assert cookie_key(None, tmp_path) == key
    [file] = tmp_path.iterdir()
    assert file.name == "cookies.key"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_broken_one_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "cookies.key").write_bytes(b"short")
    (tmp_path / "cookies.new").write_bytes(b"left by a crash")
    key = cookie_key(None, tmp_path)
    assert cookie_key(None, tmp_path) == key


def test_where_nothing_can_be_kept_there_is_one_all_the_same(tmp_path: Path) -> None:
    one, other = (cookie_key(None, tmp_path / "nowhere") for _ in range(2))
    assert len(one) == len(other) == 32
    assert one != other
