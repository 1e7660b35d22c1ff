"""The schemas of what is printed for machines: in docs/schemas, and as what is printed."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from hapair.config.output_schema import event_schema, status_schema
from hapair.events.event import Event
from hapair.snapshot import NodeSnapshot
from hapair.wire import from_plain, to_plain
from tests.unit.hapair.admin.sample import NODE
from tests.unit.hapair.events.samples import event

FOLDER = Path(__file__).parents[4] / "docs" / "schemas"


@pytest.mark.parametrize(("name", "schema"), [("status", status_schema()), ("event", event_schema())])
def test_the_documented_schema_is_the_one_of_the_types(name: str, schema: dict[str, Any]) -> None:
    """Write it anew with `hapair schema --of NAME`; a field that went, or changed, needs another VERSION."""
    assert json.loads((FOLDER / f"{name}.json").read_text()) == schema


def test_what_is_printed_is_as_the_schema_says() -> None:
    plain = json.loads(json.dumps(to_plain(NODE)))
    assert TypeAdapter(NodeSnapshot).validate_python(plain) == NODE
    assert from_plain(plain, NodeSnapshot) == NODE
    assert set(plain) == set(status_schema()["$defs"]["NodeSnapshot"]["properties"])
    one = json.loads(json.dumps(to_plain(event(1))))
    assert TypeAdapter(Event).validate_python(one) == event(1)
    assert set(one) == set(event_schema()["properties"])


def test_the_version_is_in_both() -> None:
    assert status_schema()["title"] == "hapair status --json, version 1"
    assert to_plain(NODE)["version"] == 1
