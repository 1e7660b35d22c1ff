"""The LAN: the rest needs namespaces, tests/netns/test_lab.py."""

import pytest

from hapair.lab.entry import MARK
from hapair.lab.network import open_lab


async def test_no_lab_is_made_outside_of_namespaces_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MARK, raising=False)
    with pytest.raises(RuntimeError, match=r"hapair\.lab\.entry\.enter"):
        async with open_lab():
            pass
