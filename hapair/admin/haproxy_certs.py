"""HAProxy's commands for certificates: shown, and put in the place of others by a transaction, in its words.

What is committed holds on this node alone, in memory: a change of the file, or a restart, wins. It is sent nowhere.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from balancer.tls.x509 import BadCertificate, CertificateFacts, name_in_words
from hapair.admin.haproxy_cli import Command, Refused
from hapair.certificates.store import FileError, judge
from hapair.certificates.transaction import (
    Transaction,
    certificates_in,
    chain_trouble,
    facts_in,
    holds_both,
    merged,
)

log = logging.getLogger(__name__)

NONE: Final = "Can't display the certificate: Not found or the certificate is a bundle!"
LOCAL: Final = "On this node alone, until the file changes or the node ends.\n"


class Certificates(Protocol):
    """hapair.certificates.watch.CertificateWatch."""

    @property
    def sources(self) -> Sequence[str]: ...

    @property
    def stored(self) -> Mapping[str, bytes]: ...

    def pem_of(self, source: str) -> bytes | None: ...

    def store(self, source: str, pem: bytes) -> int: ...

    def discard(self, source: str) -> None: ...


class CertificateCommands:
    """Of one node."""

    def __init__(self, certificates: Certificates, further: Certificates) -> None:
        """`further` are shown, and cannot be replaced: those of the admin server."""
        self._certificates = certificates
        self._further = further
        self._ongoing: Transaction | None = None
        self._empty: set[str] = set()
        """Made by `new ssl cert`, with nothing in them yet."""

    def commands(self) -> tuple[Command, ...]:
        """For HaproxyCli."""
        table = (
            ("show ssl cert [<file>]", "list certificates, or report on one", self._show),
            ("new ssl cert <file>", "make room for a certificate", self._new),
            ("set ssl cert <file> <payload>", "begin to replace a certificate", self._set),
            ("commit ssl cert <file>", "serve with what was set", self._commit),
            ("abort ssl cert <file>", "forget what was set", self._abort),
            ("del ssl cert <file>", "forget a certificate that is not used", self._del),
        )
        return tuple(Command(tuple(usage.split()[:3]), usage, meaning, run) for usage, meaning, run in table)

    @property
    def _known(self) -> tuple[str, ...]:
        own = self._certificates
        return tuple(dict.fromkeys((*own.sources, *own.stored, *sorted(self._empty))))

    def _show(self, words: Sequence[str]) -> str:
        if len(words) < 4:
            return self._list()
        name, ongoing = words[3], self._ongoing
        if ongoing is not None and name == f"*{ongoing.source}":
            return _told(name, "Unused", ongoing.pem)
        for certificates in (self._certificates, self._further):
            if name in certificates.sources or name in certificates.stored:
                used = name in certificates.sources and certificates.pem_of(name) is not None
                return _told(name, "Used" if used else "Unused", certificates.pem_of(name) or b"")
        if name in self._empty:
            return _told(name, "Empty", b"")
        raise Refused(NONE)

    def _list(self) -> str:
        known = dict.fromkeys((*self._known, *self._further.sources))
        lines = [] if self._ongoing is None else ["# transaction", f"*{self._ongoing.source}"]
        return "".join(f"{line}\n" for line in (*lines, *(("# filename", *known) if known else ())))

    def _new(self, words: Sequence[str]) -> str:
        name = _named(words, "'new ssl cert' expects a filename")
        if name in self._known:
            raise Refused(f"Certificate '{name}' already exists!")
        self._empty.add(name)
        return f"New empty certificate store '{name}'!\n"

    def _set(self, words: Sequence[str]) -> str:
        if len(words) < 5:
            raise Refused("'set ssl cert expects a filename and a certificate as a payload")
        name, payload = words[3], words[4].encode("ascii", "replace")
        ongoing = self._ongoing
        if ongoing is not None and ongoing.source != name:
            raise Refused(f"{_other(ongoing, name)}\nCan't update {name}!")
        if name not in self._known:
            why = "Can't replace a certificate which is not referenced by the configuration!"
            raise Refused(f"{why}\nCan't update {name}!")
        before = self._certificates.pem_of(name) or b"" if ongoing is None else ongoing.pem
        try:
            pem = merged(before, payload)
            if holds_both(payload):
                judge(pem)
        except BadCertificate:
            why = f"unable to load certificate from file '{name}'."
            raise Refused(f"{why}\nCan't load the payload\nCan't update {name}!") from None
        except FileError as error:
            raise Refused(f"{error}\nCan't load the payload\nCan't update {name}!") from None
        self._ongoing = Transaction(name, pem)
        return f"Transaction {'created' if ongoing is None else 'updated'} for certificate {name}!\n"

    def _commit(self, words: Sequence[str]) -> str:
        name, ongoing = _named(words, "'commit ssl cert expects a filename"), self._ongoing
        if ongoing is None:
            raise Refused(f"No ongoing transaction! !\nCan't commit {name}!")
        if ongoing.source != name:
            raise Refused(f"{_other(ongoing, name)}\nCan't commit {name}!")
        try:
            if (trouble := chain_trouble(ongoing.pem)) is not None:
                raise FileError(trouble)
            used = self._certificates.store(name, ongoing.pem)
        except (FileError, BadCertificate) as error:
            raise Refused(f"{error}\nCan't commit {name}!") from None
        self._ongoing = None
        self._empty.discard(name)
        log.info("runtime socket", extra={"action": "commit ssl cert", "file": name})
        return f"Committing {name}{'.' * used}\nSuccess!\n{LOCAL}"

    def _abort(self, words: Sequence[str]) -> str:
        name, ongoing = _named(words, "'abort ssl cert' expects a filename"), self._ongoing
        if ongoing is None:
            raise Refused("No ongoing transaction!")
        if ongoing.source != name:
            about = f"The ongoing transaction is about '{ongoing.source}'"
            raise Refused(f"{about} but you are trying to abort a transaction for '{name}'")
        self._ongoing = None
        return f"Transaction aborted for certificate '{name}'!\n"

    def _del(self, words: Sequence[str]) -> str:
        name = _named(words, "'del ssl cert' expects a certificate name")
        begin = "Can't remove the certificate:"
        if self._ongoing is not None:
            raise Refused(f"{begin} ongoing transaction for the certificate '{self._ongoing.source}'")
        if name in (*self._certificates.sources, *self._further.sources):
            raise Refused(f"{begin} certificate '{name}' in use, can't be deleted!\n")
        if name not in self._known:
            raise Refused(f"{begin} certificate '{name}' doesn't exist!\n")
        self._empty.discard(name)
        if name in self._certificates.stored:
            self._certificates.discard(name)
        return f"Certificate '{name}' deleted!\n"


def _named(words: Sequence[str], expected: str) -> str:
    if len(words) < 4:
        raise Refused(expected)
    return words[3]


def _other(ongoing: Transaction, name: str) -> str:
    return f"The ongoing transaction is about '{ongoing.source}' but you are trying to set '{name}'"


def _told(name: str, status: str, pem: bytes) -> str:
    lines = [f"Filename: {name}", f"Status: {status}"]
    if ders := certificates_in(pem):
        try:
            lines += _facts(facts_in(pem), ders[0])
        except BadCertificate as error:
            lines.append(f"Trouble: {error}")
    return "".join(f"{line}\n" for line in lines)


def _facts(chain: list[CertificateFacts], der: bytes) -> list[str]:
    facts, *issuers = chain
    own = [
        f"Serial: {facts.serial.removeprefix('00')}",
        f"notBefore: {_date(facts.not_before)}",
        f"notAfter: {_date(facts.not_after)}",
        f"Subject Alternative Name: {', '.join(f'DNS:{name}' for name in facts.names)}",
        f"Algorithm: {facts.key}{facts.bits or ''}",
        f"SHA1 FingerPrint: {hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()}",
        f"Subject: {name_in_words(facts.subject)}",
        f"Issuer: {name_in_words(facts.issuer)}",
    ]
    for issuer in issuers:
        own += [f"Chain Subject: {name_in_words(issuer.subject)}", f"Chain Issuer: {name_in_words(issuer.issuer)}"]
    return own


def _date(at: float) -> str:
    """`Feb 23 22:18:46 2027 GMT`, in words of no locale."""
    when = datetime.fromtimestamp(at, UTC)
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{months[when.month - 1]} {when.day:2} {when:%H:%M:%S %Y} GMT"
