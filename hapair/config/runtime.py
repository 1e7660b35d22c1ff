"""`runtime` of the file: how a node treats what changes while it runs. Pure."""

from dataclasses import dataclass
from typing import Any, ClassVar

from balancer.fieldtypes import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSection:
    """What a node does by itself."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    watch_file: bool = False
    """Reload when this file, or one of the pages that it names, has changed."""
