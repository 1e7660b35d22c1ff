"""Passwords through scrypt."""

from hapair.admin.passwords import NOBODYS, make, matches
from hapair.config.admin import ScryptHash

# RFC 7914 section 12: "pleaseletmein", "SodiumChloride", N = 16384, r = 8, p = 1.
RFC_7914 = ScryptHash.parse(
    "scrypt:14:8:1:536f6469756d43686c6f72696465:"
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
)


def test_the_vector_of_the_rfc() -> None:
    assert matches(b"pleaseletmein", RFC_7914)
    assert not matches(b"pleaseletmeim", RFC_7914)


def test_what_is_made_is_read_and_matches_that_password_alone() -> None:
    made = make("hunter2 \u00e9")
    assert ScryptHash.parse(str(made)) == made
    assert matches("hunter2 \u00e9".encode(), made)
    assert not matches(b"hunter2", made)
    assert make("hunter2 \u00e9").salt != made.salt


def test_nobodys_password_is_none() -> None:
    assert not matches(b"", NOBODYS)
