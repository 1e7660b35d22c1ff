"""The house rules, read from the source: who imports whom, what is pure, where each OS facility is, how long it is."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("hapair", "vrrp", "balancer")
MODULES = sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# Decisions: bytes and events in, effects out, `now` an argument. These must be pure; others may say so of themselves.
PURE = (
    "vrrp/config.py", "vrrp/timers.py", "vrrp/advertisement.py", "vrrp/announcements.py", "vrrp/events.py",
    "vrrp/frames.py", "vrrp/neighbours.py",
    "vrrp/authentication.py", "vrrp/router.py", "vrrp/reconfiguration.py", "vrrp/interfaces.py", "vrrp/snapshot.py",
    "vrrp/linux/nftables.py", "vrrp/linux/fencerules.py",
    "vrrp/liveness/config.py", "vrrp/liveness/session.py", "vrrp/liveness/frames.py",
    "balancer/config.py", "balancer/config_checks.py", "balancer/config_pools.py",
    "balancer/config_kernel.py", "balancer/config_discovery.py", "balancer/resolution.py",
    *(f"balancer/kernel/{name}.py" for name in ("buckets", "services", "ruleset", "conntrack", "pokes", "records")),
    "balancer/kernel/flows.py", "balancer/kernel/ruleset_dsr.py", "balancer/kernel/vip_checks.py",
    "hapair/kernel/counters.py", "hapair/replication/frames.py", "hapair/doctor.py", "hapair/firewalls.py",
    "balancer/latencies.py", "balancer/clients.py", "balancer/counts.py", "balancer/slot_layout.py",
    "balancer/evidence.py",
    "hapair/baseline.py",
    "balancer/standing.py", *(module for module in MODULES if module.startswith("balancer/policies/")),
    "balancer/fieldtypes.py", "balancer/pool.py", "balancer/health.py",
    "balancer/route.py", "balancer/wheel.py", "balancer/checks/schedule.py",
    *(module for module in MODULES if module.startswith(("balancer/http1/", "balancer/http2/"))),
    "balancer/config_http2.py",
    "hapair/wire.py", "hapair/messages.py", "hapair/heartbeat.py", "hapair/restart.py", "hapair/role.py",
    "hapair/fitness.py", "hapair/snapshot.py", "hapair/snapshot_routers.py",
    "hapair/snapshot_traffic.py", "hapair/snapshot_warnings.py",
    *(f"hapair/events/{name}.py" for name in ("event", "messages", "store", "noticing", "routers", "servers")),
    *(f"hapair/notifications/{name}.py" for name in ("outbox", "body")),
    "hapair/config/notifications.py",
    *(f"hapair/peer/{name}.py" for name in ("drift", "messages", "standing")),
    *(f"hapair/changes/{name}.py" for name in ("change", "messages", "register")),
    *(f"hapair/handover/{name}.py" for name in ("asked", "messages", "events", "giving", "taking", "conversation")),
    "hapair/handover/ruleset.py",
    "hapair/config/errors.py", "hapair/config/tree.py", "hapair/config/rules.py", "hapair/config/types.py",
    "hapair/config/view.py", "hapair/config/scalars.py", "hapair/config/tracks.py", "hapair/config/witnesses.py",
    "hapair/config/admin.py", "hapair/config/runtime.py", "hapair/reload/diff.py", "hapair/reload/plan.py",
    "balancer/checks/kept.py",
    "hapair/admin/attempts.py", "hapair/admin/router.py", "hapair/admin/exposition.py", "hapair/admin/columns.py",
    "hapair/admin/rates.py", "hapair/admin/haproxy_rows.py", "hapair/admin/haproxy_metrics.py",
    "hapair/admin/pair_metrics.py", "hapair/admin/stats_formats.py", "hapair/admin/haproxy_info.py",
    "hapair/admin/server_state.py", "hapair/certificates/transaction.py", "hapair/admin/levels.py",
    "hapair/admin/history.py", "hapair/admin/health_history.py",
    "hapair/admin/page_state.py",
    "hapair/config/router_rules.py", "hapair/config/pool_rules.py",
    "hapair/tracking/watch.py", "hapair/tracking/findings.py", "vrrp/routes.py",
)  # fmt: skip

PURE_IMPORTS = frozenset(
    {
        *("__future__", "collections", "collections.abc", "contextlib", "dataclasses", "difflib", "enum", "functools"),
        *("bisect", "heapq", "html", "ipaddress", "itertools", "json", "math", "operator", "re", "struct"),
        *("types", "typing"),
        "hmac",
    }
)

# A pure module with one honest reason to import more.
PURE_BUT: Mapping[str, frozenset[str]] = {
    "hapair/config/tree.py": frozenset({"yaml"}),  # text in, nodes out
    "balancer/http2/compression.py": frozenset({"hpack"}),  # bytes to fields and back
    "balancer/http2/library.py": frozenset(  # frames to events and back
        f"h2.{name}" for name in ("config", "connection", "errors", "events", "exceptions", "settings", "stream")
    ),
    "hapair/config/view.py": frozenset({"os", "hapair.config.load"}),  # how many cores this process may use
    "vrrp/simulation.py": frozenset({"random"}),  # seeded: the same plan is the same run
    "vrrp/simulation_plan.py": frozenset({"random"}),  # the same
    "balancer/checks/schedule.py": frozenset({"random"}),  # the type of the generator that is passed in
    "balancer/kernel/buckets.py": frozenset({"hashlib"}),  # a function of bytes
    "balancer/policies/maglev.py": frozenset({"array", "hashlib"}),  # functions of bytes
    "balancer/policies/consistent_hash.py": frozenset({"zlib"}),
    "balancer/pool.py": frozenset({"random"}),  # for who passes no generator in
    "hapair/certificates/transaction.py": frozenset({"binascii"}),  # a function of bytes
    "balancer/tls/x509.py": frozenset({"datetime"}),  # a function of text
    "vrrp/limitedlog.py": frozenset({"logging"}),  # it logs, and the caller brings the time
    "hapair/lab/bulk.py": frozenset({"hashlib"}),  # a function of bytes
    "balancer/limits.py": frozenset({"hashlib"}),  # a function of bytes
    "balancer/persistence/tokens.py": frozenset({"base64"}),  # functions of bytes
    "hapair/lab/page.py": frozenset({"importlib.resources"}),  # the style sheet beside it
    "hapair/snapshot_traffic.py": frozenset({"balancer.slots"}),  # Counts, which are data
    "hapair/config/notifications.py": frozenset({"urllib.parse"}),  # a function of text
    "hapair/peer/messages.py": frozenset({"zlib"}),  # a function of bytes
    "hapair/admin/history.py": frozenset({"array", "balancer.slots"}),  # numbers in a row, and the same
}

# A dependency or an OS facility, and the only places that touch it. A folder ends with /.
SEAMS: Mapping[str, tuple[str, ...]] = {
    "pydantic": ("hapair/config/",),
    "yaml": ("hapair/config/",),
    "click": ("hapair/cli.py", "hapair/commands/"),
    "rich": ("hapair/commands/", "hapair/lab/"),
    "scapy": ("hapair/capture/",),
    "h2": ("balancer/http2/library.py",),
    "hpack": ("balancer/http2/compression.py",),
    "hyperframe": (),
    "dns.asyncresolver": ("balancer/nameserver.py",),
    "pyroute2": ("vrrp/linux/netlink.py",),
    "asyncio": (),
    "subprocess": ("hapair/processes.py", "hapair/kernel/server_side.py", "hapair/lab/"),
    "threading": (
        "balancer/accesslog/writer.py",
        "vrrp/linux/netlink.py",
        "vrrp/liveness/swift_end.py",
        "hapair/processes.py",
        "hapair/lab/",
    ),
    "ctypes": ("hapair/privileges.py", "vrrp/liveness/swift_end.py", "hapair/lab/"),
    "resource": ("hapair/privileges.py",),
    "mmap": ("balancer/slots.py",),
    "fcntl": (
        "balancer/pipes.py",
        "vrrp/linux/fence.py",
        "vrrp/liveness/tcp.py",
        "hapair/tracking/gateway.py",
    ),
    "select.epoll": ("balancer/reactor.py",),
    "socket.AF_PACKET": ("vrrp/linux/packetsock.py", "hapair/lab/", "vrrp/linux/witness.py", "vrrp/linux/tap.py"),
    "socket.AF_NETLINK": (
        *("vrrp/linux/linkwatch.py", "vrrp/linux/fence.py", "hapair/handover/flows.py", "hapair/lab/"),
        *("balancer/kernel/ctnetlink.py", "hapair/kernel/events.py", "hapair/kernel/neighbours.py"),
    ),
    "socket.IPPROTO_RAW": ("hapair/kernel/cutting.py",),
    "socket.SCM_RIGHTS": ("hapair/channel.py",),
    "os.splice": ("balancer/streams.py",),
    "os.memfd_create": ("balancer/slots.py", "balancer/tls/contexts.py"),
    "ssl": (
        "balancer/tls/contexts.py",
        "balancer/secure.py",
        "balancer/checks/probes.py",
        "balancer/checks/tls.py",
        "hapair/certificates/store.py",
        "hapair/notifications/webhook.py",
        "hapair/worker.py",
    ),
    "os.sched_setscheduler": ("hapair/privileges.py",),
    "os.fork": (),
    "os.system": (),
    "os.popen": (),
    "time.sleep": (),
    "time.time": (
        "hapair/node_persistence.py",
        "hapair/worker.py",
        "hapair/node_admin.py",
        "hapair/node_events.py",
        "hapair/node_maintenance.py",
        "hapair/node_changes.py",
        "hapair/epoch.py",
        "hapair/certificates/",
        "balancer/accesslog/journal.py",
    ),
    "trio.lowlevel.open_process": ("hapair/child.py", "hapair/lab/"),
    "trio.run_process": (
        "balancer/kernel/nft.py",
        "hapair/kernel/neighbours.py",
        "hapair/handover/routes.py",
        "hapair/lab/",
    ),
}

FILE_LINES = 450
FILE_LINES_TO_FEEL_AT_HOME_IN = 300
FUNCTION_LINES = 60

# A module without a test file of its own, and what tests it instead.
NO_TEST_FILE: Mapping[str, str] = {
    "hapair/persistence/messages.py": "data only: tests/unit/hapair/test_node_persistence.py",
    "hapair/persistence/views.py": "data only: tests/unit/hapair/persistence/test_hub.py",
    "hapair/__main__.py": "one call of the command line",
    "hapair/announcer.py": "a process: the tests of the network lab start it",
    "hapair/flows.py": "a process: tests/netns/test_kernel_failover.py starts it",
    "hapair/replication/process.py": "needs CAP_NET_ADMIN: tests/netns/test_kernel_failover.py",
    "hapair/node_parts.py": "the parts of a node: benchmarks/reload.py, and the tests of the network lab",
    "hapair/node.py": "the node process: the tests of the network lab start it",
    "hapair/snapshot.py": "data only: tests/unit/hapair/config/test_output_schema.py",
    "hapair/snapshot_kernel.py": "data only: tests/unit/hapair/test_snapshot_warnings.py",
    "hapair/snapshot_routers.py": "data only: tests/unit/hapair/test_snapshot_warnings.py",
    "hapair/commands/up.py": "starts a node: the tests of the network lab do",
    "hapair/commands/release.py": "needs virtual IP addresses: the tests of the network lab",
    "hapair/commands/demo.py": "runs the network lab",
    "balancer/kernel/ctnetlink.py": "needs CAP_NET_ADMIN: tests/netns/test_kernel_plane.py",
    "balancer/policies/base.py": "data only: tests/unit/balancer/policies/test___init__.py",
    "hapair/handover/events.py": "data only: tests/unit/hapair/handover/test_conversation.py",
    "balancer/http2/events.py": "data only: tests/unit/balancer/http2/test_session.py",
    "balancer/clients.py": "data only: tests/unit/balancer/test_sessions.py",
    "hapair/changes/messages.py": "data only: tests/unit/hapair/test_node_changes.py",
    "vrrp/ports.py": "Protocols only: mypy",
    "vrrp/events.py": "data only: tests/unit/vrrp/test_router.py",
    "vrrp/snapshot.py": "data only: tests/unit/hapair/test_messages.py",
    "vrrp/last_will.py": "raw sockets and netlink: tests/netns/test_vrrp_linux.py",
    "vrrp/linux/__init__.py": "raw sockets and netlink: tests/netns/test_vrrp_linux.py",
    "vrrp/linux/tap.py": "needs CAP_NET_RAW: tests/netns/test_capture.py",
    "vrrp/linux/packetsock.py": "packet sockets: tests/netns/test_vrrp_linux.py",
    "vrrp/states.py": "data: tests/unit/vrrp/test_router.py",
    "hapair/handover/asked.py": "data: tests/unit/hapair/test_node_takeover.py",
    "vrrp/simulation.py": "tests/property/test_vrrp_simulation.py",
    "vrrp/simulation_plan.py": "tests/property/test_vrrp_simulation.py",
    "vrrp/roster.py": "whole nodes: tests/scenario/test_vrrp_reconfigure.py",
    "vrrp/testing_vips.py": "tests/unit/vrrp/test_testing.py",
    "vrrp/segment.py": "whole nodes: tests/scenario/test_vrrp_pair.py",
}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"), module)


@cache
def imports_of(module: str) -> frozenset[str]:
    """Every module that is imported anywhere in a file, `from a import b` as `a` and `a.b`."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{module}:{node.lineno}: imports are absolute"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def uses_of(module: str) -> frozenset[str]:
    """Imports, and attributes as they are written: `os.splice`."""
    attributes = (node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Attribute))
    return imports_of(module) | {_written(node) for node in attributes}


def _written(node: ast.expr) -> str:
    match node:
        case ast.Attribute(value=value, attr=name):
            return f"{_written(value)}.{name}"
        case ast.Name(id=name):
            return name
    return "?"


def imported_packages(module: str) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in imports_of(module))


def stdlib_and_ours(module: str) -> Iterator[str]:
    """What a file imports, as modules only."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from _imported_modules(node.module, [alias.name for alias in node.names])


def _imported_modules(package: str, names: list[str]) -> Iterator[str]:
    """`from balancer.http1 import request` imports a module of ours; `from math import inf` does not."""
    inside = [name for name in names if (ROOT / package.replace(".", "/") / f"{name}.py").exists()]
    yield from (f"{package}.{name}" for name in inside)
    if len(inside) < len(names):
        yield package


def file_of(module_name: str) -> str | None:
    """The file of a module of ours, None for any other."""
    path = ROOT / module_name.replace(".", "/")
    if path.with_suffix(".py").exists():
        return path.with_suffix(".py").relative_to(ROOT).as_posix()
    init = path / "__init__.py"
    return init.relative_to(ROOT).as_posix() if init.exists() else None


def says_it_is_pure(module: str) -> bool:
    return bool(re.search(r"\bPure\b", ast.get_docstring(tree_of(module)) or ""))


def within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or (place.endswith("/") and module.startswith(place)) for place in places)


def test_the_libraries_do_not_know_the_product_nor_each_other() -> None:
    strangers = {"vrrp": {"hapair", "balancer"}, "balancer": {"hapair", "vrrp"}}
    offences = {
        module: sorted(imported_packages(module) & strangers.get(module.partition("/")[0], set())) for module in MODULES
    }
    assert {module: names for module, names in offences.items() if names} == {}


def test_what_must_be_pure_is_there_and_says_so() -> None:
    assert [module for module in PURE if module not in MODULES] == []
    silent = [module for module in PURE if not says_it_is_pure(module)]
    assert [module for module in silent if module not in ("hapair/messages.py", "hapair/config/types.py")] == []


def test_pure_modules_import_neither_clock_nor_socket_nor_trio() -> None:
    offences = []
    for module in MODULES:
        if not (says_it_is_pure(module) or module in PURE):
            continue
        for name in stdlib_and_ours(module):
            if name not in PURE_IMPORTS | PURE_BUT.get(module, frozenset()) and file_of(name) is None:
                offences.append(f"{module} imports {name}")
    assert offences == []


def test_decisions_rest_on_pure_modules_only() -> None:
    offences = []
    for module in PURE:
        for name in stdlib_and_ours(module):
            file = file_of(name)
            if file is None or name in PURE_BUT.get(module, frozenset()) or not imports_of(file):
                continue
            if file not in PURE and not says_it_is_pure(file):
                offences.append(f"{module} imports {name}")
    assert offences == []


def test_excuses_are_still_needed() -> None:
    assert [
        f"{module}: {name}" for module, names in PURE_BUT.items() for name in names if name not in imports_of(module)
    ] == []


@pytest.mark.parametrize("facility", SEAMS)
def test_each_dependency_and_os_facility_has_its_seam(facility: str) -> None:
    places = SEAMS[facility]
    users = [module for module in MODULES if _uses(module, facility)]
    assert [module for module in users if not within(module, places)] == []
    assert [place for place in places if not any(within(user, (place,)) for user in users)] == []


def _uses(module: str, facility: str) -> bool:
    return any(use == facility or use.startswith(f"{facility}.") for use in uses_of(module))


def test_files_are_short() -> None:
    lengths = {module: len((ROOT / module).read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {module: lines for module, lines in lengths.items() if lines > FILE_LINES} == {}


def test_files_of_a_size_to_feel_at_home_in(capsys: pytest.CaptureFixture[str]) -> None:
    """Says how many are longer; no failure."""
    lengths = {module: len((ROOT / module).read_text(encoding="utf-8").splitlines()) for module in MODULES}
    longer = [f"{module} {lines}" for module, lines in lengths.items() if lines > FILE_LINES_TO_FEEL_AT_HOME_IN]
    if longer:
        with capsys.disabled():
            print(f"\n{len(longer)} of {len(MODULES)} files over {FILE_LINES_TO_FEEL_AT_HOME_IN} lines: {longer}")


def test_functions_are_short() -> None:
    offences = []
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    offences.append(f"{module}:{node.lineno}: {node.name} has {lines} lines")
    assert offences == []


def test_every_module_says_what_it_is_for() -> None:
    assert [module for module in MODULES if not ast.get_docstring(tree_of(module))] == []


def _has_code(module: str) -> bool:
    code = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return not module.endswith("__init__.py") or any(isinstance(node, code) for node in tree_of(module).body)


def _test_file(module: str) -> Path:
    path = Path(module)
    return ROOT / "tests" / "unit" / path.parent / f"test_{path.name}"


def test_every_module_has_its_test_file() -> None:
    assert [
        module
        for module in MODULES
        if _has_code(module) and module not in NO_TEST_FILE and not _test_file(module).exists()
    ] == []


def test_exceptions_from_that_are_still_needed() -> None:
    assert [module for module in NO_TEST_FILE if module not in MODULES or _test_file(module).exists()] == []


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("hapair.announcer", {"pydantic", "click", "rich", "scapy", "yaml"}),
        ("hapair.worker", {"pydantic", "click", "rich", "scapy", "yaml", "pyroute2", "h2", "hpack", "dns"}),
        ("hapair.flows", {"pydantic", "click", "rich", "scapy", "yaml", "pyroute2", "h2", "hpack"}),
        ("vrrp", {"trio", "pyroute2", "scapy"}),
        ("balancer", {"trio", "pyroute2", "scapy"}),
    ],
)
def test_a_process_does_not_load_what_it_does_not_need(module: str, unwanted: set[str]) -> None:
    code = f"import {module}, sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & unwanted == set()
