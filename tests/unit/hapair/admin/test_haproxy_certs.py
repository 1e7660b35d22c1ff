"""HAProxy's commands for certificates, word for word."""

import re

import pytest

from hapair.admin.haproxy_certs import CertificateCommands
from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.rates import Rates
from hapair.admin.surfaces import Surfaces
from hapair.certificates.store import FileError
from tests.conftest import Authority, Issued
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE


class Certificates:
    """One file that two frontends serve with."""

    def __init__(self, **pems: bytes) -> None:
        self.pems = pems
        self.stored: dict[str, bytes] = {}
        self.trouble = ""

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self.pems)

    def pem_of(self, source: str) -> bytes | None:
        return self.pems.get(source, self.stored.get(source))

    def store(self, source: str, pem: bytes) -> int:
        if self.trouble:
            raise FileError(self.trouble)
        self.stored[source] = pem
        if source in self.pems:
            self.pems[source] = pem
        return 2 * (source in self.pems)

    def discard(self, source: str) -> None:
        del self.stored[source]


class House:
    def __init__(self, pem: bytes) -> None:
        self.certificates = Certificates(web=pem)
        commands = CertificateCommands(self.certificates, Certificates(admin=pem)).commands()
        surfaces = Surfaces(lambda: NODE, Rates(), lambda: 0.0, started_at=0.0)
        self._cli = HaproxyCli(surfaces, Recorder(), {}, more=commands)

    async def say(self, command: str, payload: bytes | None = None) -> str:
        return await self._cli.answer(command, "admin", None if payload is None else payload.decode())


@pytest.fixture(scope="module")
def other(authority: Authority) -> Issued:
    return authority.issue("other.example", rsa=True)


@pytest.fixture
def house(issued: Issued) -> House:
    return House(issued.pem)


async def test_what_is_served_with(house: House) -> None:
    assert await house.say("show ssl cert") == "# filename\nweb\nadmin\n"
    shown = await house.say("show ssl cert web")
    assert re.fullmatch(
        r"Filename: web\nStatus: Used\nSerial: [0-9A-F]{38,40}\n"
        r"notBefore: [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4} GMT\n"
        r"notAfter: [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4} GMT\n"
        r"Subject Alternative Name: DNS:www\.example\.org, DNS:\*\.example\.net\nAlgorithm: EC256\n"
        r"SHA1 FingerPrint: [0-9A-F]{40}\nSubject: /CN=www\.example\.org\nIssuer: /CN=An authority\n",
        shown,
    )
    nothing = "Can't display the certificate: Not found or the certificate is a bundle!\n"
    assert await house.say("show ssl cert nix") == nothing
    assert await house.say("show ssl cert *web") == nothing


async def test_a_transaction_from_its_beginning_to_its_end(house: House, authority: Authority, other: Issued) -> None:
    assert (
        await house.say("set ssl cert web", other.pem + authority.pem) == "Transaction created for certificate web!\n"
    )
    assert await house.say("show ssl cert") == "# transaction\n*web\n# filename\nweb\nadmin\n"
    about = await house.say("show ssl cert *web")
    assert "Status: Unused\n" in about
    assert "Algorithm: RSA2048\n" in about
    assert "Chain Subject: /CN=An authority\n" in about
    assert house.certificates.stored == {}
    assert await house.say("set ssl cert web", other.pem) == "Transaction updated for certificate web!\n"
    assert await house.say("commit ssl cert web") == (
        "Committing web..\nSuccess!\nOn this node alone, until the file changes or the node ends.\n"
    )
    assert set(house.certificates.stored) == {"web"}
    assert "DNS:other.example\n" in await house.say("show ssl cert web")
    assert await house.say("show ssl cert") == "# filename\nweb\nadmin\n"


async def test_one_that_is_given_up(house: House, other: Issued) -> None:
    await house.say("set ssl cert web", other.pem)
    assert await house.say("abort ssl cert x") == (
        "The ongoing transaction is about 'web' but you are trying to abort a transaction for 'x'\n"
    )
    assert await house.say("abort ssl cert web") == "Transaction aborted for certificate 'web'!\n"
    assert await house.say("abort ssl cert web") == "No ongoing transaction!\n"
    assert await house.say("commit ssl cert web") == "No ongoing transaction! !\nCan't commit web!\n"
    assert house.certificates.stored == {}


async def test_there_is_one_at_a_time(house: House, other: Issued) -> None:
    await house.say("new ssl cert later")
    await house.say("set ssl cert web", other.pem)
    about = "The ongoing transaction is about 'web' but you are trying to set 'later'\n"
    assert await house.say("set ssl cert later", other.pem) == f"{about}Can't update later!\n"
    assert await house.say("commit ssl cert later") == f"{about}Can't commit later!\n"
    assert await house.say("del ssl cert later") == (
        "Can't remove the certificate: ongoing transaction for the certificate 'web'\n"
    )


async def test_what_is_not_fit_is_not_taken(house: House, issued: Issued, other: Issued) -> None:
    unfit = "Can't load the payload\nCan't update web!\n"
    assert await house.say("set ssl cert web", b"junk\n") == f"unable to load certificate from file 'web'.\n{unfit}"
    mixed = other.certificate.read_bytes() + issued.key.read_bytes()
    assert (await house.say("set ssl cert web", mixed)).endswith(unfit)
    assert await house.say("show ssl cert") == "# filename\nweb\nadmin\n"
    await house.say("set ssl cert web", other.pem + other.certificate.read_bytes())
    assert (
        await house.say("commit ssl cert web") == "certificate 2 of it did not issue certificate 1\nCan't commit web!\n"
    )
    await house.say("set ssl cert web", other.pem)
    house.certificates.trouble = "has expired; the one before it is still good"
    assert await house.say("commit ssl cert web") == f"{house.certificates.trouble}\nCan't commit web!\n"
    house.certificates.trouble = ""
    assert (await house.say("commit ssl cert web")).startswith("Committing web..\nSuccess!\n")


async def test_in_pieces(house: House, other: Issued) -> None:
    assert await house.say("set ssl cert web", other.certificate.read_bytes()) == (
        "Transaction created for certificate web!\n"
    )
    assert await house.say("set ssl cert web", other.key.read_bytes()) == "Transaction updated for certificate web!\n"
    assert (await house.say("commit ssl cert web")).startswith("Committing web..\nSuccess!\n")
    assert other.key.read_bytes().strip() in house.certificates.pems["web"]


async def test_room_for_one_that_is_not_used(house: House, other: Issued) -> None:
    assert await house.say("new ssl cert web") == "Certificate 'web' already exists!\n"
    assert await house.say("new ssl cert n") == "New empty certificate store 'n'!\n"
    assert await house.say("new ssl cert n") == "Certificate 'n' already exists!\n"
    assert await house.say("show ssl cert n") == "Filename: n\nStatus: Empty\n"
    assert await house.say("show ssl cert") == "# filename\nweb\nn\nadmin\n"
    await house.say("set ssl cert n", other.pem)
    assert (await house.say("commit ssl cert n")).startswith("Committing n\nSuccess!\n")
    assert "Status: Unused\n" in await house.say("show ssl cert n")
    assert await house.say("del ssl cert n") == "Certificate 'n' deleted!\n"
    assert await house.say("del ssl cert n") == "Can't remove the certificate: certificate 'n' doesn't exist!\n\n"
    in_use = "Can't remove the certificate: certificate 'web' in use, can't be deleted!\n\n"
    assert await house.say("del ssl cert web") == in_use


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("set ssl cert", "'set ssl cert expects a filename and a certificate as a payload\n"),
        ("set ssl cert web", "'set ssl cert expects a filename and a certificate as a payload\n"),
        ("new ssl cert", "'new ssl cert' expects a filename\n"),
        ("commit ssl cert", "'commit ssl cert expects a filename\n"),
        ("abort ssl cert", "'abort ssl cert' expects a filename\n"),
        ("del ssl cert", "'del ssl cert' expects a certificate name\n"),
    ],
)
async def test_what_is_missing_is_said(house: House, command: str, answer: str) -> None:
    assert await house.say(command) == answer


async def test_what_is_not_named_is_not_replaced(house: House, other: Issued) -> None:
    why = "Can't replace a certificate which is not referenced by the configuration!\n"
    for name in ("nix", "admin"):
        assert await house.say(f"set ssl cert {name}", other.pem) == f"{why}Can't update {name}!\n"


async def test_it_is_for_an_admin(house: House) -> None:
    for verb in ("new", "set", "commit", "abort", "del"):
        assert await house._cli.answer(f"{verb} ssl cert web", "operator") == "Permission denied\n"
