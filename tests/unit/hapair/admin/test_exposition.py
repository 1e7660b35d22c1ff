"""Prometheus' text format, by bytes and by prometheus_client's parser."""

from prometheus_client.parser import text_string_to_metric_families

from hapair.admin.exposition import Metric, exposition, one_of


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
