"""Contexts: by name, renewed, refused; on handshakes in memory."""

import ssl
import subprocess
from typing import Any

import pytest

from balancer.config_tls import CertificateFiles, FrontendTls, PoolTls
from balancer.tls.contexts import DoorContexts, ServerTls
from balancer.tls.material import Bundle, FrontendMaterial, PoolMaterial

FILES = (CertificateFiles(certificate="x.pem"),)


def bundle(authority: Any, *names: str, rsa: bool = False) -> Bundle:
    return Bundle(names=names, pem=authority.issue(*names, rsa=rsa).pem)


def shake(door: ssl.SSLContext, client: ssl.SSLContext, name: str | None) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Client and server after a handshake. Raises ssl.SSLError of the server, or of the client."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = door.wrap_bio(to_server, to_client, server_side=True)
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = [one, server]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert not waiting
    return one, server


def client_context(authority: Any, *, verify: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def names_shown(one: ssl.SSLObject) -> list[str]:
    return [value for _, value in one.getpeercert()["subjectAltName"]]  # type: ignore[index, misc]


@pytest.fixture(scope="module")
def material(authority: Any) -> FrontendMaterial:
    return FrontendMaterial(bundles=(bundle(authority, "a.example"), bundle(authority, "b.example", "*.b.example")))


def test_each_name_gets_its_certificate(authority: Any, material: FrontendMaterial) -> None:
    contexts = DoorContexts(FrontendTls(certificates=FILES), material)
    client = client_context(authority)
    for name, shown in (
        ("a.example", ["a.example"]),
        ("b.example", ["b.example", "*.b.example"]),
        ("x.b.example", ["b.example", "*.b.example"]),
    ):
        one, server = shake(contexts.door, client, name)
        assert names_shown(one) == shown
        assert server.asked_name == name  # type: ignore[attr-defined]


def test_an_unknown_name_gets_the_default(authority: Any, material: FrontendMaterial) -> None:
    client = client_context(authority)
    client.check_hostname = False
    contexts = DoorContexts(FrontendTls(certificates=FILES), material)
    assert names_shown(shake(contexts.door, client, "c.example")[0]) == ["a.example"]
    assert names_shown(shake(contexts.door, client, None)[0]) == ["a.example"]
    other = DoorContexts(FrontendTls(certificates=FILES), FrontendMaterial(bundles=material.bundles, default=1))
    assert names_shown(shake(other.door, client, None)[0]) == ["b.example", "*.b.example"]


@pytest.mark.parametrize("name", ["c.example", None])
def test_strict_sni_refuses_unknown_names(authority: Any, material: FrontendMaterial, name: str | None) -> None:
    contexts = DoorContexts(FrontendTls(certificates=FILES, strict_sni=True), material)
    with pytest.raises(ssl.SSLError):
        shake(contexts.door, client_context(authority, verify=False), name)


def test_two_kinds_of_key_for_one_name(authority: Any) -> None:
    both = FrontendMaterial(bundles=(bundle(authority, "a.example"), bundle(authority, "a.example", rsa=True)))
    contexts = DoorContexts(FrontendTls(certificates=FILES), both)
    client = client_context(authority)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"):
        client.set_ciphers(cipher)
        assert shake(contexts.door, client, "a.example")[0].cipher()[0] == cipher  # type: ignore[index]


def test_renewed_certificates_are_for_new_connections(authority: Any, material: FrontendMaterial) -> None:
    contexts = DoorContexts(FrontendTls(certificates=FILES), material)
    client = client_context(authority)
    before, _ = shake(contexts.door, client, "a.example")
    door = contexts.door
    contexts.renew(FrontendMaterial(bundles=(bundle(authority, "a.example", "new.example"),)))
    assert names_shown(shake(contexts.door, client, "a.example")[0]) == ["a.example", "new.example"]
    assert names_shown(before) == ["a.example"]
    assert contexts.door is door, "sessions that were begun can be resumed"


def test_what_is_unfit_changes_nothing(authority: Any, material: FrontendMaterial) -> None:
    contexts = DoorContexts(FrontendTls(certificates=FILES), material)
    one, other = authority.issue("a.example"), authority.issue("a.example")
    mixed = one.certificate.read_bytes() + other.key.read_bytes()
    for pem in (mixed, b"", one.certificate.read_bytes(), b"\xff"):
        with pytest.raises(ssl.SSLError):
            contexts.renew(FrontendMaterial(bundles=(Bundle(names=("a.example",), pem=pem),)))
    assert names_shown(shake(contexts.door, client_context(authority), "a.example")[0]) == ["a.example"]


def test_another_client_ca_makes_another_door(authority: Any, material: FrontendMaterial) -> None:
    before = FrontendMaterial(bundles=material.bundles, client_ca=authority.issue("a.example").certificate.read_bytes())
    contexts = DoorContexts(FrontendTls(certificates=FILES, client_ca="ca.pem"), before)
    door = contexts.door
    contexts.renew(FrontendMaterial(bundles=material.bundles, client_ca=authority.pem))
    assert contexts.door is not door
    with pytest.raises(ssl.SSLError):
        contexts.renew(FrontendMaterial(bundles=material.bundles, client_ca=b"nothing"))
    assert contexts.door.verify_mode == ssl.CERT_REQUIRED


def test_clients_must_or_may_show_a_certificate(authority: Any, material: FrontendMaterial) -> None:
    asking = FrontendMaterial(bundles=material.bundles, client_ca=authority.pem)
    required = DoorContexts(FrontendTls(certificates=FILES, client_ca="ca.pem"), asking)
    optional = DoorContexts(FrontendTls(certificates=FILES, client_ca="ca.pem", client_certificate="optional"), asking)
    client = client_context(authority)
    with pytest.raises(ssl.SSLError):
        shake(required.door, client, "a.example")
    assert shake(optional.door, client, "a.example")[1].getpeercert() is None
    anna = authority.issue(subject="/O=Example/CN=anna")
    client.load_cert_chain(anna.both)
    assert shake(required.door, client, "a.example")[1].getpeercert()["subject"] == (  # type: ignore[index]
        (("organizationName", "Example"),),
        (("commonName", "anna"),),
    )


def test_minimum_version_and_protocols(authority: Any, material: FrontendMaterial) -> None:
    contexts = DoorContexts(FrontendTls(certificates=FILES, minimum_version="1.3"), material, ("h2", "http/1.1"))
    client = client_context(authority)
    client.set_alpn_protocols(["http/1.1"])
    one, _ = shake(contexts.door, client, "a.example")
    assert (one.version(), one.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        shake(contexts.door, client, "a.example")


def test_servers_are_verified_by_name_or_address(authority: Any) -> None:
    issued = authority.issue("db.example", "192.0.2.1")
    server = DoorContexts(
        FrontendTls(certificates=FILES), FrontendMaterial(bundles=(Bundle(names=(), pem=issued.pem),))
    ).door
    believes = PoolMaterial(ca=authority.pem)
    named = ServerTls(PoolTls(ca="ca.pem", server_name="db.example"), believes)
    assert named.name_for("192.0.2.9") == "db.example"
    shake(server, named.context, named.name_for("192.0.2.9"))
    by_address = ServerTls(PoolTls(ca="ca.pem"), believes)
    shake(server, by_address.context, by_address.name_for("192.0.2.1"))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, by_address.context, by_address.name_for("192.0.2.2"))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, ServerTls(PoolTls(), PoolMaterial()).context, "db.example")
    shake(server, ServerTls(PoolTls(verify=False), PoolMaterial()).context, "192.0.2.2")


def test_we_show_a_certificate_to_servers(authority: Any, material: FrontendMaterial) -> None:
    asking = FrontendMaterial(bundles=material.bundles, client_ca=authority.pem)
    door = DoorContexts(FrontendTls(certificates=FILES, client_ca="ca.pem"), asking).door
    mine = PoolMaterial(ca=authority.pem, pem=authority.issue(subject="/CN=proxy").pem)
    tls = ServerTls(PoolTls(ca="ca.pem", certificate="me.pem"), mine)
    assert shake(door, tls.context, "a.example")[1].getpeercert()["subject"] == (  # type: ignore[index]
        (("commonName", "proxy"),),
    )


def test_an_encrypted_key_is_refused_without_a_question(authority: Any, tmp_path: Any) -> None:
    issued = authority.issue("a.example")
    locked = tmp_path / "locked.key"
    command = ["openssl", "ec", "-in", str(issued.key), "-aes128", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    pem = issued.certificate.read_bytes() + locked.read_bytes()
    with pytest.raises(ssl.SSLError, match="encrypted"):
        DoorContexts(FrontendTls(certificates=FILES), FrontendMaterial(bundles=(Bundle(names=(), pem=pem),)))
