"""Files that belong together, by what certbot, lego and HAProxy call them."""

import pytest

from hapair.certificates.layout import Pair, pairs_in


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem", "README"], (("fullchain.pem", "privkey.pem"),)),
        (["a.crt", "a.issuer.crt", "a.json", "a.key"], (("a.crt", "a.key"),)),
        (["b.pem", "a.pem"], (("a.pem", None), ("b.pem", None))),
        (["a.pem", "a.pem.key"], (("a.pem", "a.pem.key"),)),
        (["a.pem", "a.key"], (("a.pem", "a.key"),)),
        (["a.crt"], (("a.crt", None),)),
        (["a.cer", "a.cer.key"], (("a.cer", "a.cer.key"),)),
        ([".a.pem.swp", ".hidden.pem", "notes.txt", "pem"], ()),
    ],
)
def test_pairs(names: list[str], pairs: tuple[Pair, ...]) -> None:
    assert pairs_in(names) == pairs
