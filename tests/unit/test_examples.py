"""Every example is a file that holds together, for each of its nodes."""

from pathlib import Path

import pytest

from hapair.config import load, node_view

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def test_there_are_examples() -> None:
    assert EXAMPLES != []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_accepted_for_each_of_its_nodes(path: Path) -> None:
    loaded = load(path)
    assert loaded.warnings == []
    assert len(loaded.file.pair.nodes) == 2
    for node in loaded.file.pair.nodes:
        view = node_view(loaded, node)
        assert view.node == node
        assert view.routers != ()
        assert view.balancer.frontends != {}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_begins_with_what_it_is_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
