"""`runtime` of the file."""

from hapair.config import load_text, node_view

TEXT = "pair: {nodes: {pi-a: 192.0.2.11}}\n"


def test_a_file_is_watched_where_it_says_so() -> None:
    assert not node_view(load_text(TEXT), "pi-a").watch_file
    assert node_view(load_text(TEXT + "runtime: {watch_file: true}\n"), "pi-a").watch_file
