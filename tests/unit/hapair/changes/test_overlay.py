from balancer.config import Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.changes.change import Change, Said, written
from hapair.changes.overlay import overlaid, why_not

WEB1, WEB9 = Server(address=Endpoint("192.0.2.1", 80)), Server(address=Endpoint("192.0.2.9", 80), weight=3)
SAID = Said(pools={"web": Pool(servers={"web1": WEB1})})


def said(server: str, value: Server | None, pool: str = "web") -> Change:
    text = None if value is None else written(value)
    return Change(what="server", pool=pool, server=server, value=text, at=1, node="pi-a", by="")


def test_servers_come_at_the_end_in_the_order_in_which_they_were_added() -> None:
    pools, misfits = overlaid(SAID, [said("web9", WEB9), said("web3", WEB9), said("web1", None), said("web1", WEB9)])
    assert pools == {"web": Pool(servers={"web9": WEB9, "web3": WEB9, "web1": WEB9})}
    assert list(pools["web"].servers) == ["web9", "web3", "web1"]
    assert misfits == frozenset()
    assert list(SAID.pools["web"].servers) == ["web1"]


def test_the_last_server_of_a_pool_may_go() -> None:
    assert overlaid(SAID, [said("web1", None)])[0] == {"web": Pool(servers={})}


def test_what_does_not_fit_is_left_out() -> None:
    pools, misfits = overlaid(SAID, [said("web9", WEB9, pool="api"), said("web9", WEB9)])
    assert list(pools) == ["web"]
    assert list(pools["web"].servers) == ["web1", "web9"]
    assert misfits == {("server", "api", "web9")}


def test_why() -> None:
    assert why_not(SAID, SAID.pools, said("web9", WEB9)) is None
    assert why_not(SAID, SAID.pools, said("web9", WEB9, pool="api")) == "there is no pool api"
    full = Said(pools=SAID.pools, obstacle=lambda pools: f"{len(pools['web'].servers)} are too many")
    assert why_not(full, full.pools, said("web9", WEB9)) == "2 are too many"
