"""What records say: outages by their definition, counts, quantiles."""

from hapair.lab.outage import Outage, Tally, longest, outages, quantile, tally, within
from hapair.lab.records import Record


def probe(sent_at: float, took_s: float = 0.001, error: str | None = None) -> Record:
    good = error is None
    return Record("probe", sent_at, took_s, error, "web1" if good else "", "192.168.1.11" if good else "")


def test_no_probe_failed_no_outage() -> None:
    assert list(outages([probe(1.0), probe(1.004)])) == []
    assert list(outages([])) == []


def test_an_outage_lasts_from_the_first_failure_sent_to_the_answer_of_a_probe_sent_after_all_of_them() -> None:
    records = [probe(1.0), probe(2.0, 0.25, "timeout"), probe(2.1, 0.25, "timeout"), probe(2.2, 0.125)]
    assert list(outages(records)) == [Outage(began_at=2.0, ended_at=2.325, failed=2)]


def test_records_come_in_the_order_of_their_end_and_are_taken_in_that_of_their_sending() -> None:
    records = [probe(1.0), probe(2.2, 0.125), probe(2.0, 0.5, "timeout")]
    assert list(outages(records)) == [Outage(2.0, 2.325, 1)]


def test_a_success_between_parts_two_outages() -> None:
    records = [probe(1.0, 0.1, "reset"), probe(2.0, 0.5), probe(3.0, 0.1, "reset"), probe(5.0, 0.5)]
    assert list(outages(records)) == [Outage(1.0, 2.5, 1), Outage(3.0, 5.5, 1)]


def test_an_outage_may_have_no_end_yet() -> None:
    [outage] = outages([probe(1.0), probe(2.0, 0.1, "refused")])
    assert outage == Outage(2.0, None, 1)
    assert outage.lasted_s is None


def test_streams_tell_nothing_of_outages() -> None:
    assert list(outages([Record("stream", 1.0, 0.1, "reset", "", "")])) == []


def test_the_longest_is_the_one_without_end_where_there_is_one() -> None:
    short, long, endless = Outage(1.0, 1.5, 3), Outage(2.0, 4.0, 9), Outage(5.0, None, 1)
    assert longest([short, long]) == long
    assert longest([short, endless, long]) == endless
    assert longest([]) is None


def test_within_goes_by_sending_and_leaves_the_end_out() -> None:
    first, second, third = probe(1.0), probe(2.0), probe(3.0)
    assert within([first, second, third], 1.0, 3.0) == [first, second]


def test_a_tally_counts_answers_by_who_gave_them_and_failures_by_reason() -> None:
    records = [
        probe(1.0),
        probe(1.1),
        probe(1.2, 0.1, "timeout"),
        Record("stream", 1.0, 0.1, None, "web2", "192.168.1.12"),
    ]
    assert tally(records) == Tally(
        requests=4,
        failed=1,
        per_server={"web1": 2, "web2": 1},
        per_node={"192.168.1.11": 2, "192.168.1.12": 1},
        errors={"timeout": 1},
    )


def test_quantiles() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 1.0) == 3.0
    assert quantile([], 0.5) is None
