"""What a virtual router's standing follows from, in the announcer."""

from hapair.standings import Standings
from vrrp.interfaces import Interface
from vrrp.tracking import InterfaceTrack, Tracked

UP = Interface(name="eth1", index=3, up=True)
DOWN = Interface(name="eth1", index=3)
GONE = Interface(name="eth1")


def standings() -> Standings:
    tracked = {
        "lan": (InterfaceTrack(name="wan", interface="eth1"),),
        "dmz": (InterfaceTrack(name="wan", interface="eth1", weight=-50),),
    }
    return Standings({"lan": 200, "dmz": 100, "own": 255}, tracked)


def test_an_interface_is_a_gate_or_moves_the_priority() -> None:
    assert standings().interface_changed(UP) == {"lan": (200, None), "dmz": (100, None)}
    assert standings().interface_changed(DOWN) == {"lan": (200, "interface wan: it is down"), "dmz": (50, None)}
    assert standings().interface_changed(GONE)["lan"] == (200, "interface wan: it does not exist")


def test_other_interfaces_do_not_matter() -> None:
    assert standings().watched == {"eth1"}
    assert standings().interface_changed(Interface(name="eth9", index=4)) == {}


def test_what_the_node_tells_counts_beside_it() -> None:
    one = standings()
    one.interface_changed(DOWN)
    assert one.told("dmz", [Tracked("script x", True, "exit status 0", 20)]) == {"dmz": (70, None)}
    assert one.told("dmz", [Tracked("script x", False, "exit status 1")]) == {"dmz": (50, "script x: exit status 1")}
    assert one.told("dmz", []) == {"dmz": (50, None)}


def test_a_lowered_node_lowers_all_but_owners() -> None:
    assert standings().lowered(1) == {"lan": (1, None), "dmz": (1, None), "own": (255, None)}
    assert standings().lowered(None) == {"lan": (200, None), "dmz": (100, None), "own": (255, None)}


def test_what_was_not_looked_at_yet_is_well() -> None:
    assert standings().told("lan", []) == {"lan": (200, None)}


def test_other_virtual_routers_stand_by_what_is_known() -> None:
    before = standings()
    before.interface_changed(DOWN)
    before.told("lan", [Tracked("script x", False, "it failed", -10)])
    before.told("dmz", [Tracked("script y", False, "it failed", -10)])
    before.lowered(150)
    after = before.reconfigured({"lan": 210, "new": 120}, {"new": (InterfaceTrack(name="wan", interface="eth1"),)})
    assert after.watched == {"eth1"}
    assert after.all() == {"lan": (150, None), "new": (120, "interface wan: it is down")}
    assert after.lowered(None)["lan"] == (200, None)
    assert before.all()["dmz"] == (40, None)
