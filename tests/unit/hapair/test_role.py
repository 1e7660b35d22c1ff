"""Frontends follow their VIPs."""

from hapair.role import active_frontends, node_role


def test_a_frontend_serves_where_its_router_is_active() -> None:
    followed = {"web": frozenset({"lan"}), "db": frozenset({"dmz"})}
    assert active_frontends(followed, {"lan": "Active", "dmz": "Backup"}) == {"web": True, "db": False}


def test_a_frontend_that_follows_no_router_always_serves() -> None:
    assert active_frontends({"any": frozenset()}, {"lan": "Backup"}) == {"any": True}


def test_one_active_router_of_several_is_enough() -> None:
    followed = {"both": frozenset({"lan", "dmz"})}
    assert active_frontends(followed, {"lan": "Initialize", "dmz": "Active"}) == {"both": True}
    assert active_frontends(followed, {"lan": "Initialize", "dmz": "Backup"}) == {"both": False}


def test_a_router_of_which_nothing_is_known_is_not_active() -> None:
    assert active_frontends({"web": frozenset({"lan"})}, {}) == {"web": False}


def test_a_node_is_active_where_one_of_its_routers_is() -> None:
    assert node_role({"lan": "Backup", "dmz": "Active"}) == "ACTIVE"
    assert node_role({"lan": "Backup", "dmz": "Initialize"}) == "STANDBY"
    assert node_role({}) == "STANDBY"
