"""The judgement of a trial."""

from hapair.lab.records import Record
from hapair.lab.trial import Fault, Moves, judge


def probe(sent_at: float, error: str | None = None) -> Record:
    return Record("probe", sent_at, 0.125, error, "", "")


RECORDS = [
    probe(9.0),
    probe(9.9, "reset"),
    probe(10.0, "timeout"),
    probe(10.25),
    probe(12.0),
    probe(13.0, "reset"),
    probe(13.25),
]


def judged(moved: Moves, *, recovered: bool = True):
    return judge(Fault.FREEZE, "pi-a", "pi-b", moved, (12.5, 14.0), RECORDS, recovered)


def test_a_trial_that_went_well() -> None:
    trial = judged(Moves(fault_at=10.0, taken_at=10.25, gone_at=11.5))
    assert (trial.takeover_s, trial.vip_off_s) == (0.25, 1.5)
    assert round(trial.outage_s, 6) == 0.475  # a probe sent just before the fault failed of it
    assert (trial.failed, trial.requests) == (2, 4)
    assert (trial.return_outage_s, trial.return_failed) == (0.375, 1)
    assert not trial.stale_vip
    assert trial.passed


def test_a_vip_that_stays_is_stale() -> None:
    trial = judged(Moves(10.0, 10.25, None))
    assert trial.stale_vip
    assert not trial.passed


def test_a_peer_that_does_not_take_over() -> None:
    trial = judged(Moves(10.0, None, 11.0))
    assert trial.takeover_s is None
    assert not trial.passed


def test_a_pair_that_does_not_recover() -> None:
    assert not judged(Moves(10.0, 10.25, 11.0), recovered=False).passed


def test_every_fault_says_what_its_victim_then_is() -> None:
    assert [fault.condition for fault in Fault] == [
        "dead",
        "unplugged",
        "frozen",
        "unheard",
        "wounded",
        "wounded",
        "leaving",
        "unplugged",
        "waking",
    ]
