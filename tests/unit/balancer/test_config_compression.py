"""What may be said of compression."""

import pytest

from balancer.config_compression import Compression


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"level": 0}, "level must be from 1 to 9"),
        ({"level": 10}, "level must be from 1 to 9"),
        ({"at_once": 0}, "at_once must be at least 1"),
        ({"types": ("html",)}, "'html' is not a media type"),
        ({"types": ("text/html; charset=x",)}, "is not a media type"),
    ],
)
def test_what_makes_no_sense(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Compression(**wrong)  # type: ignore[arg-type]
