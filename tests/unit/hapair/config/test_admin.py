"""`admin` of the file."""

import pytest

from balancer.fieldtypes import Endpoint
from hapair.config import ConfigError, load_text
from hapair.config.admin import AdminSection, ScryptHash

HASH = f"scrypt:14:8:5:{'00' * 16}:{'11' * 32}"
FILE = """\
pair: {{nodes: {{pi-a: 192.0.2.11}}}}
frontends: {{web: {{listen: [":80"], pool: web}}}}
pools: {{web: {{servers: {{web1: "192.0.2.21:80"}}}}}}
admin: {admin}
"""


def admin_of(text: str) -> AdminSection:
    admin = load_text(FILE.format(admin=text)).file.admin
    assert admin is not None
    return admin


def test_users_with_their_levels() -> None:
    admin = admin_of(f'{{listen: ":1338", users: {{anna: "{HASH}", ben: {{password: "{HASH}", level: viewer}}}}}}')
    assert admin.bound == (Endpoint("::", 1338),)
    assert {name: user.level for name, user in admin.users.items()} == {"anna": "admin", "ben": "viewer"}
    assert HASH not in repr(admin)


@pytest.mark.parametrize(
    ("listen", "bound"),
    [
        ('":1338"', ["127.0.0.1:1338", "[::1]:1338"]),
        ('"0.0.0.0:1338"', ["127.0.0.1:1338"]),
        ('["127.0.0.1:1338", "0.0.0.0:1338"]', ["127.0.0.1:1338"]),
        ('"[::1]:1338"', ["[::1]:1338"]),
    ],
)
def test_without_users_only_this_machine_can_ask(listen: str, bound: list[str]) -> None:
    assert [str(endpoint) for endpoint in admin_of(f"{{listen: {listen}}}").bound] == bound


@pytest.mark.parametrize(
    ("admin", "problem"),
    [
        ("{}", "admin.listen: is missing"),
        ("{listen: []}", "admin.listen: must name at least one address"),
        ('{listen: [":1338", ":1338"]}', "admin.listen: must not name an address twice"),
        ('{listen: "192.0.2.1:1338"}', "admin.listen: must be at a loopback address, or on every address (:1338)"),
        ('{listen: "unix:/run/x.sock"}', "admin.listen: must be ADDRESS:PORT; for programs of this machine"),
        ('{listen: ":80"}', "admin.listen: 127.0.0.1:80 is listened on by frontend web, as [::]:80"),
        ('{listen: ":1338", users: {anna: secret}}', "password must be what `hapair password` prints"),
        (f'{{listen: ":1338", users: {{"a:b": "{HASH}"}}}}', "'a:b' is not a name for a user"),
        (
            f'{{listen: ":1338", users: {{anna: {{password: "{HASH}", level: root}}}}}}',
            "root is not one of viewer, admin",
        ),
    ],
)
def test_what_does_not_do(admin: str, problem: str) -> None:
    with pytest.raises(ConfigError) as failure:
        admin_of(admin)
    assert problem in str(failure.value)


def test_a_hash_as_it_is_written() -> None:
    known = ScryptHash.parse(HASH)
    assert (known.log2_n, known.r, known.p, known.salt, known.key) == (14, 8, 5, bytes(16), b"\x11" * 32)
    assert str(known) == HASH
    assert "11" * 32 not in repr(known)


@pytest.mark.parametrize("costs", ["9:8:5", "21:1:1", "20:32:1", "14:0:1", "14:8:17", "14:33:1", "1_4:8:5"])
def test_costs_that_are_too_low_or_too_high(costs: str) -> None:
    with pytest.raises(ValueError, match="must "):
        ScryptHash.parse(f"scrypt:{costs}:{'00' * 16}:{'11' * 32}")
