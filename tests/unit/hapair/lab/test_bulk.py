"""The body of a slow download."""

import hashlib

from hapair.lab.bulk import digest, parse, path, piece


def test_a_path_says_what_is_wanted() -> None:
    assert path("d7", 3, 200) == "/bulk/d7/3/200"
    assert parse(b"/bulk/d7/3/200") == ("d7", 3, 200)
    assert [parse(other) for other in (b"/", b"/healthz", b"/bulk/d7/3", b"/bulk/d7/x/200", b"/bulk/d7/-1/2")] == [
        None,
        None,
        None,
        None,
        None,
    ]


def test_no_two_pieces_are_alike() -> None:
    assert len(piece("d7", 0)) == 1024
    assert len({piece("d7", 0), piece("d7", 1), piece("d8", 0)}) == 3


def test_the_digest_is_that_of_all_pieces() -> None:
    assert digest("d7", 2) == hashlib.sha256(piece("d7", 0) + piece("d7", 1)).hexdigest()
