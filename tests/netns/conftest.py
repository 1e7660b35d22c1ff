"""A test that asks for `lab` runs in namespaces of its own: pytest starts itself there for that one test (labs.py).

So nothing that the test starts can outlive it, whatever becomes of it or of pytest.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hapair.lab.entry import find_obstacle, inside
from hapair.lab.network import Lab, open_lab
from hapair.lab.pair import Pair, bring_up, furnish
from hapair.lab.programs import Hapair
from tests.netns.labs import Labs, is_alone

HERE = Path(__file__).parent
LABS = pytest.StashKey[Labs]()


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """An empty LAN."""
    async with open_lab() as lab:
        yield lab


@pytest.fixture
async def pair(lab: Lab) -> Pair:
    """Two nodes that run the real program, pi-a Active; three web servers; a client."""
    pair = await furnish(lab, Hapair())
    await bring_up(pair)
    return pair


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that share the machine come first, so that none has to wait for one that does not.

    How long a lab may take is for `labs` to say: here it may have begun earlier, or wait for others.
    """
    places = [place for place, item in enumerate(items) if HERE in item.path.parents]
    for place, item in zip(places, sorted((items[place] for place in places), key=is_alone), strict=True):
        items[place] = item
        if not inside() and "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(0))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if inside() or "lab" not in getattr(item, "fixturenames", ()) or find_obstacle():
        return None  # the usual way; where there is an obstacle it leads to a skip that says so
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in [*run_inside(item), tear_down(item, nextitem)]:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if LABS in session.stash:
        session.stash[LABS].close()


def run_inside(item: pytest.Item) -> list[pytest.TestReport]:
    """The reports of one test that ran in a lab."""
    if LABS not in item.session.stash:
        item.session.stash[LABS] = Labs(one for one in item.session.items if not is_alone(one))
    run = item.session.stash[LABS].run(item)
    return [
        report_of(item, "setup", "passed", None, 0.0),
        outcome_of(item, run.status, run.output, run.duration),
    ]


def tear_down(item: pytest.Item, nextitem: pytest.Item | None) -> pytest.TestReport:
    """Ends what an earlier test that ran here has set up, its module say, and the next test does not share."""
    call = pytest.CallInfo.from_call(lambda: item.session._setupstate.teardown_exact(nextitem), "teardown")
    return pytest.TestReport.from_item_and_call(item, call)


def outcome_of(item: pytest.Item, status: int | None, output: str, duration: float) -> pytest.TestReport:
    """What the inner pytest's exit status and output say of its one test."""
    skipped = re.search(r"^SKIPPED \[1\] (.*?):(\d+): (.*)$", output, re.MULTILINE)
    if status == 0 and skipped:
        where = (skipped[1], int(skipped[2]), f"Skipped: {skipped[3]}")
        return report_of(item, "call", "skipped", where, duration)
    return report_of(item, "call", *(("passed", None) if status == 0 else ("failed", output)), duration)


def report_of(item: pytest.Item, when, outcome, longrepr, duration: float) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome=outcome,
        longrepr=longrepr,
        when=when,
        duration=duration,
    )
