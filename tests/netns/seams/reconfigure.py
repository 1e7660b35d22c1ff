"""Other configurations for routers that run on a real kernel."""

import subprocess
from ipaddress import IPv4Interface

import trio
from lan import VMAC, config, config6, is_advert, main, run_router, state, until

VIP, OTHER = IPv4Interface("10.99.0.100/24"), IPv4Interface("10.99.0.101/24")


def fenced():
    """What `nft` prints of all tables."""
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, check=True, text=True, timeout=10).stdout


def flush():
    """As somebody else would."""
    subprocess.run(["nft", "flush", "ruleset"], check=True, timeout=10)


async def held(runner, *texts):
    await until(lambda: {vip for one in runner.snapshot() for vip in one.vips_held} == set(texts))


def ns_vips_come_and_go_while_the_other_stays(lan):
    """And so do the fence around them, and what adverts list."""

    async def scenario(lan, runner, states):
        await held(runner, "10.99.0.100/32")
        missing = []

        async def look():
            while True:
                missing.extend(["10.99.0.100/32"] * ("10.99.0.100/32" not in lan.addresses()))
                await trio.sleep(0.002)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            for _ in range(3):
                await runner.reconfigure([config(addresses=(VIP, OTHER))])
                await held(runner, "10.99.0.100/32", "10.99.0.101/32")
                assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.100/32": 99, "10.99.0.101/32": 99}
                assert "10.99.0.101" in fenced()
                await runner.reconfigure([config(priority=99)])
                await held(runner, "10.99.0.100/32")
                await until(lambda: "10.99.0.101" not in fenced())
            nursery.cancel_scope.cancel()
        assert missing == []
        assert state(runner) == "Active"
        await trio.sleep(0.25)
        assert lan.adverts()[-1][34:38].hex() == "31336301"
        assert "10.99.0.100" in fenced()

    lan.up()
    run_router(lan, scenario)
    assert lan.addresses() == {"10.99.0.1/24": None}
    assert fenced() == ""


def ns_the_first_vip_of_a_subnet_goes_and_the_next_one_brings_it_along(lan):
    """Without an address of that subnet on the interface its first VIP has the prefix, the others are alone."""

    async def scenario(lan, runner, states):
        await held(runner, "10.99.0.100/24", "10.99.0.101/32")
        await runner.reconfigure([config(addresses=(OTHER,))])
        await held(runner, "10.99.0.101/24")
        assert lan.addresses() == {"192.0.2.1/24": None, "10.99.0.101/24": 99}
        assert state(runner) == "Active"

    lan.up("192.0.2.1/24")
    run_router(lan, scenario, config(addresses=(VIP, OTHER)))


def ns_routers_of_both_families_come_and_go(lan):
    """With virtual MAC addresses too; a fence is there from the first one on, and nothing is left of the last one."""

    async def scenario(lan, runner, states):
        names = [link.get_attr("IFLA_IFNAME") for link in lan.ipr.get_links()]
        owner = config(name="own", vrid=9, priority=255, addresses=(IPv4Interface("192.0.2.1/24"),))
        await runner.reconfigure([owner, config(virtual_mac=True), config6(virtual_mac=True)])
        await until(lambda: [one.state for one in runner.snapshot()] == ["Active"] * 3)
        await until(lambda: all(one.vips_held for one in runner.snapshot()[1:]))
        assert VMAC in await trio.to_thread.run_sync(lan.who_has, "10.99.0.100")
        flush()
        await until(lambda: "10.99.0.100" in fenced())
        virtual = lan.link(f"vrrp4-51-{lan.index['v0']:x}")
        await runner.reconfigure([owner, config(virtual_mac=True, priority=150, addresses=(VIP, OTHER))])
        await held(runner, "10.99.0.100/32", "10.99.0.101/32")
        assert lan.link(f"vrrp4-51-{lan.index['v0']:x}") == virtual
        await until(lambda: len(lan.ipr.get_links()) == len(names) + 1)
        await runner.reconfigure([owner, config()])
        await held(runner, "10.99.0.100/32")
        await until(lambda: [link.get_attr("IFLA_IFNAME") for link in lan.ipr.get_links()] == names)
        assert lan.mac() in await trio.to_thread.run_sync(lan.who_has, "10.99.0.100")
        await runner.reconfigure([owner])
        await until(lambda: fenced() == "")

    lan.up("10.99.0.1/24", "192.0.2.1/24")
    owner = config(name="own", vrid=9, priority=255, addresses=(IPv4Interface("192.0.2.1/24"),))
    run_router(lan, scenario, owner)
    assert lan.addresses() == {"10.99.0.1/24": None, "192.0.2.1/24": None}


def ns_no_advert_is_late(lan):
    """Configurations one after the other, with routers that come and go: the one that stays never misses a beat."""

    async def scenario(lan, runner, states):
        await held(runner, "10.99.0.100/32")
        lan.frames()
        until_at, number = trio.current_time() + 2.0, 0
        while trio.current_time() < until_at:
            number += 1
            more = [config(name="more", vrid=60, addresses=(OTHER,))] * (number % 3 == 0)
            await runner.reconfigure([config(priority=100 + number % 7), *more])
            await trio.sleep(0.02)
        assert number > 20
        adverts = [frame for frame in lan.frames() if is_advert(frame) and frame[35] == 51]
        assert len(adverts) >= 20
        assert runner.snapshot()[0].lateness_max_ms < 50
        assert state(runner) == "Active"

    lan.up()
    run_router(lan, scenario)


if __name__ == "__main__":
    main(globals())
