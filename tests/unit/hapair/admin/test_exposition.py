"""Prometheus' text format, by bytes and by prometheus_client's parser."""

from prometheus_client.parser import text_string_to_metric_families

from hapair.admin.exposition import Histogram, Metric, exposition, one_of


def test_bytes() -> None:
    metrics = [
        Metric("a_total", "counter", "What\nit \\ is.", [({"x": 'q"\\\n'}, 3), ({"x": "none"}, None)]),
        Metric("b", "gauge", "B.", [({}, 0.25), ({"k": "v"}, True)]),
        Metric("c", "gauge", "Nothing is known.", [({}, None)]),
    ]
    assert exposition(metrics) == (
        b"# HELP a_total What it \\\\ is.\n# TYPE a_total counter\n"
        b'a_total{x="q\\"\\\\\\n"} 3\n'
        b'# HELP b B.\n# TYPE b gauge\nb 0.25\nb{k="v"} 1\n'
    )


def test_numbers_are_whole_where_they_can_be() -> None:
    body = exposition([Metric("n", "gauge", "N.", [({}, 2.0), ({}, 1e-7), ({}, 2**60), ({}, 1.5e300)])])
    values = [line.split()[1] for line in body.decode().splitlines()[2:]]
    assert values[:3] == ["2", "0.0", "1152921504606846976"]
    assert float(values[3]) == 1.5e300


def test_the_parser_reads_what_went_in() -> None:
    body = exposition([Metric("a_total", "counter", "A.", [({"x": 'q"\\\n'}, 3)])]).decode()
    (family,) = text_string_to_metric_families(body)
    assert [(one.name, one.labels, one.value) for one in family.samples] == [("a_total", {"x": 'q"\\\n'}, 3.0)]


def test_one_state_of_several() -> None:
    assert list(one_of({"r": "lan"}, "state", ("a", "b"), "b")) == [
        ({"r": "lan", "state": "a"}, 0),
        ({"r": "lan", "state": "b"}, 1),
    ]


def test_a_histogram_by_bytes_and_by_the_parser() -> None:
    samples = [({"r": "lan"}, (2, 0, 3), 0.75), ({"r": "dmz"}, (), 0.0)]
    body = exposition([Histogram("late_seconds", "How late.", (0.001, 0.25), samples)])
    assert body == (
        b"# HELP late_seconds How late.\n# TYPE late_seconds histogram\n"
        b'late_seconds_bucket{r="lan",le="0.001"} 2\n'
        b'late_seconds_bucket{r="lan",le="0.25"} 2\n'
        b'late_seconds_bucket{r="lan",le="+Inf"} 5\n'
        b'late_seconds_sum{r="lan"} 0.75\n'
        b'late_seconds_count{r="lan"} 5\n'
    )
    (family,) = text_string_to_metric_families(body.decode())
    assert (family.type, len(family.samples)) == ("histogram", 5)
    assert exposition([Histogram("none", "N.", (1.0,), [({}, (), 0.0)])]) == b""
