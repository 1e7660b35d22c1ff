"""JSON Schemas of what hapair prints for machines, made from the types that it is made of."""

from typing import Any

from pydantic import TypeAdapter

from hapair.events.event import Event
from hapair.snapshot import VERSION, NodeSnapshot

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def status_schema() -> dict[str, Any]:
    """Of `hapair status --json`. `version` counts changes that a reader can stumble over; new fields are none."""
    return _schema(NodeSnapshot, f"hapair status --json, version {VERSION}")


def event_schema() -> dict[str, Any]:
    """Of each line of `hapair events --json`."""
    return _schema(Event, "hapair events --json")


def _schema(kind: type, title: str) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    return {"$schema": DIALECT} | schema | {"title": title}
