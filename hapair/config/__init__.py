"""The file: from YAML text to typed configuration, with every error at once and each where it stands."""

from hapair.config.errors import ConfigError, Problem
from hapair.config.load import Loaded, load, load_text
from hapair.config.pages import read_pages
from hapair.config.view import NodeConfig, UnknownNodeError, node_view

__all__ = [
    "ConfigError",
    "Loaded",
    "NodeConfig",
    "Problem",
    "UnknownNodeError",
    "load",
    "load_text",
    "node_view",
    "read_pages",
]
