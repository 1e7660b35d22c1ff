"""TLS beside HAProxy: full and resumed handshakes, each with one small request, and bulk.

    python -m benchmarks.tls --rounds 5 --json tls.json

Goal (HAProxy's CPU divided by ours): 0.8 for each. Both have the same certificate (ECDSA, P-256), and what OpenSSL
agrees upon by itself: TLS 1.3 with AES-256-GCM; sessions are resumed by tickets of TLS 1.2, which is what
`openssl s_time` can do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import harness


def handshakes(port: int, seconds: int, kind: tuple[str, ...]) -> float:
    """Connections one after the other, each with a request; how many."""
    where = ["-connect", f"127.0.0.1:{port}", "-www", "/100B", "-time", str(seconds)]
    shown = harness.load(["openssl", "s_time", *kind, *where])
    counts = [int(found) for found in re.findall(r"(\d+) connections in \d+ real seconds", shown)]
    assert counts, shown
    return float(counts[-1])


def bulk(port: int, megabytes: int) -> float:
    """One download; gigabytes."""
    url = f"https://127.0.0.1:{port}/bulk"
    size = f"0-{megabytes * 1_000_000 - 1}"
    shown = harness.load(["curl", "-sk", "-r", size, "-o", "/dev/null", "-w", "%{size_download}", url])
    assert int(shown) == megabytes * 1_000_000, shown
    return megabytes / 1000


def make_certificate(where: Path) -> Path:
    """A certificate and its key, in one file."""
    key, certificate, both = where / "key.pem", where / "certificate.pem", where / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    subprocess.run([*made, *files], check=True, capture_output=True)
    both.write_text(certificate.read_text() + key.read_text())
    return both


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        server = stack.enter_context(harness.origin(where))
        certificate = make_certificate(where)
        ours = stack.enter_context(harness.hapair(server, mode="http", extra=("--certificate", str(certificate))))
        theirs = stack.enter_context(harness.haproxy(where, server, mode="http", bind=f"ssl crt {certificate}"))
        subjects, seconds = [theirs, ours], options.seconds
        rows = []
        for case, kind in (("tls new", ("-new",)), ("tls resumed", ("-reuse", "-tls1_2"))):
            load = partial(handshakes, seconds=seconds, kind=kind)
            rows += harness.compare(case, subjects, options.rounds, load, "handshake")
        rows += harness.compare("tls bulk", subjects, options.rounds, partial(bulk, megabytes=options.megabytes), "GB")
        return rows


if __name__ == "__main__":
    harness.run("TLS beside HAProxy.", benchmark, seconds=2, megabytes=500)
