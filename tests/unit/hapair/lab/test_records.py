"""Lines between the client and who reads them."""

from hapair.lab.records import Record, decode, encode


def test_a_record_travels_as_one_line_of_json() -> None:
    record = Record("probe", 12.5, 0.25, None, "web1", "192.168.1.11")
    assert encode(record) == b'["probe",12.5,0.25,null,"web1","192.168.1.11"]\n'


def test_a_line_is_read_back() -> None:
    record = decode(b'["stream",1.5,0.5,"timeout","",""]\n')
    assert record == Record("stream", 1.5, 0.5, "timeout", "", "")
    assert not record.ok
    assert record.done_at == 2.0
