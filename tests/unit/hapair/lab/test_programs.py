"""The programs: the rest needs namespaces, tests/netns."""

import sys

from hapair.lab.programs import Hapair, Keepalived, hapair, missing_peer


def test_a_peer_that_is_not_there_is_named_with_its_package() -> None:
    assert missing_peer("python3") is None
    assert missing_peer("python3", "no-such-program") == (
        "no-such-program not installed: apt-get install no-such-program"
    )


def test_the_command_is_run_by_this_very_python() -> None:
    assert hapair("up") == [sys.executable, "-m", "hapair", "up"]


def test_each_program_says_what_it_is() -> None:
    assert Hapair().versions().startswith("hapair ")
    assert (Hapair.name, Keepalived.name) == ("hapair", "keepalived")
