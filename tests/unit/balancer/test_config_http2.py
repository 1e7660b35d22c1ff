import pytest

from balancer.config import Frontend
from balancer.config_http2 import Http2
from balancer.fieldtypes import Endpoint
from hapair.config import load_text
from hapair.wire import from_plain, to_plain

FILE = """
pair:
  nodes: {a: 192.0.2.1}
frontends:
  web: {listen: ["127.0.0.1:80"], pool: web, http2: HTTP2}
pools:
  web: {servers: {one: "127.0.0.1:81"}}
"""


def http2_in(text: str) -> Http2 | None:
    return load_text(FILE.replace("HTTP2", text)).file.frontends["web"].http2


def test_how_it_is_written():
    assert http2_in("true") == Http2()
    assert http2_in("false") is None
    assert http2_in("{max_streams: 7, window: 32KiB, settings: 2s}") == Http2(
        max_streams=7, window_bytes=32_768, settings_s=2.0
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_streams": 0},
        {"window_bytes": 16_383},
        {"window_bytes": 2**31},
        {"frame_bytes": 16_383},
        {"frame_bytes": 2**24},
        {"header_list_bytes": 4_095},
        {"settings_s": 0.0},
        {"resets": 0},
        {"idle_frames": 9},
    ],
)
def test_limits_of_limits(wrong):
    with pytest.raises(ValueError, match="must be"):
        Http2(**wrong)


def test_only_for_http():
    with pytest.raises(ValueError, match="http2 needs mode: http"):
        Frontend(listen=(Endpoint("127.0.0.1", 80),), mode="tcp", pool="a", http2=Http2())


def test_workers_are_told():
    frontend = Frontend(listen=(Endpoint("127.0.0.1", 80),), pool="a", http2=Http2(max_streams=7))
    assert from_plain(to_plain(frontend), Frontend) == frontend
