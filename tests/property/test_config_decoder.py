"""Whatever a file holds: typed configuration or one ConfigError, and nothing else."""

import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from hapair.config import ConfigError, Loaded, load_text, node_view
from hapair.config.tree import DEPTH_LIMIT, parse

GOOD: dict[str, Any] = {
    "pair": {
        "nodes": {"pi-a": "192.0.2.11", "pi-b": "192.0.2.12"},
        "secret_file": "pair.key",
        "port": 1339,
        "witness": ["192.0.2.1"],
    },
    "virtual_routers": {
        "lan": {
            "vrid": 51,
            "interface": "eth0",
            "addresses": ["192.0.2.100/24"],
            "priority": {"pi-a": 200, "pi-b": 100},
            "excluded_addresses": ["2001:db8::100/64"],
            "version": 3,
            "advertisement_interval": "100ms",
            "authenticate": "permissive",
            "peers": "unicast",
            "group": "site",
            "hold_down": "1s",
            "virtual_mac": True,
            "announce_every": "1m",
            "track": {
                "interfaces": {"wan": {"interface": {"pi-a": "eth1", "pi-b": "end1"}, "weight": -50}},
                "scripts": {"dns": {"command": ["/bin/true"], "interval": "1s", "rise": 2, "weight": 10}},
                "gateway": "192.0.2.1",
                "files": {"away": {"path": "/etc/away", "expect": "absent"}},
                "pools": ["web"],
            },
            "notify": ["/bin/true", "x"],
        },
        "lan6": {
            "vrid": 51,
            "interface": "eth0",
            "addresses": ["fe80::200:5eff:fe00:233/64"],
            "group": "site",
            "priority": {"pi-a": 255, "pi-b": 100},
        },
        "old": {
            "vrid": 52,
            "interface": "eth0",
            "addresses": ["192.0.2.110/24"],
            "version": 2,
            "password": "secret",
            "priority": {"pi-a": 1, "pi-b": 2},
        },
    },
    "frontends": {
        "web": {
            "listen": ["192.0.2.100:80"],
            "pool": "web",
            "routes": [{"path": "/v1/*", "pool": "web"}],
            "timeouts": {"header": "5s"},
            "http": {"head": "8KiB"},
        }
    },
    "pools": {
        "web": {
            "check": {"http": "GET /", "interval": "2s"},
            "servers": {"web1": "192.0.2.21:80", "web2": {"address": "192.0.2.22:80", "weight": 2}},
        }
    },
    "workers": 2,
}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["250ms", "64KiB", "192.0.2.1:80", "::1", "eth0", "web", "pi-a", "*", "auto", "[::]:80", "yes", "010"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, one in value.items():
            found += places(one, (*path, key))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            found += places(one, (*path, i))
    return found


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def check_problems(error: ConfigError) -> None:
    """There is at least one; each says where and what, in one line."""
    assert error.problems != []
    for problem in error.problems:
        assert problem.position.line >= 1
        assert problem.position.column >= 1
        assert problem.message
        assert len(problem.render("f").splitlines()) == 1


def outcome(text: str) -> Loaded | ConfigError:
    """What load_text says; a file that it takes must do for every node as well."""
    try:
        loaded = load_text(text)
    except ConfigError as error:
        check_problems(error)
        return error
    for node in loaded.file.pair.nodes:
        node_view(loaded, node)
    return loaded


@given(st.text())
def test_any_text(text: str) -> None:
    outcome(text)


@given(st.text(alphabet="[]{},:-&*!|>'\"# \nab1", max_size=60))
def test_any_punctuation(text: str) -> None:
    outcome(text)


@given(VALUES)
def test_any_value(value: Any) -> None:
    outcome(json.dumps(value))


@given(st.sampled_from(places(GOOD)), VALUES)
def test_a_good_file_with_any_value_in_any_place(path: tuple[Any, ...], value: Any) -> None:
    outcome(json.dumps(changed(GOOD, path, value)))


@given(
    st.sampled_from([path for path in places(GOOD) if path and isinstance(path[-1], str)]),
    st.text(min_size=1, max_size=8),
)
def test_a_good_file_with_a_key_renamed(path: tuple[Any, ...], name: str) -> None:
    table: Any = GOOD
    for step in path[:-1]:
        table = table[step]
    renamed = {(name if key == path[-1] else key): one for key, one in table.items()}
    outcome(yaml.safe_dump(changed(GOOD, path[:-1], renamed), allow_unicode=True))


@given(st.recursive(st.text(max_size=6) | st.booleans() | st.none() | st.integers(-(10**17), 10**17),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
                    max_leaves=20))  # fmt: skip
def test_quoted_text_and_plain_values_are_read_as_they_were_written(value: Any) -> None:
    tree = parse(json.dumps({"a": value}))
    if tree.problems:
        assert [problem.message.partition(" ")[0] for problem in tree.problems] == ["not"]  # YAML: some escapes of JSON
    else:
        assert tree.value == {"a": value}


@given(st.integers(1, 2 * DEPTH_LIMIT))
def test_nesting_is_refused_beyond_the_limit_only(depth: int) -> None:
    assert (parse("[" * depth + "]" * depth).problems == []) == (depth <= DEPTH_LIMIT)
