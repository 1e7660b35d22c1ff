"""Names of a pool, with a resolver that says what it is told to, under a clock that jumps."""

import trio
from trio.testing import MockClock

from balancer.config_pools import Pool, Server
from balancer.discovery import Discovery, resolve_once
from balancer.fieldtypes import Endpoint
from balancer.resolution import Answer, Failure, Question
from balancer.standing import Place

ONE = Place(Endpoint("192.0.2.1", 80))
TWO = Place(Endpoint("192.0.2.2", 80))
POOLS = {
    "web": Pool(
        servers={
            "app": Server(address=Endpoint("app.internal", 80), count=2),
            "slow": Server(address=Endpoint("slow.internal", 80)),
            "old": Server(address=Endpoint("192.0.2.9", 80)),
        }
    )
}


class Resolver:
    """Answers in turn; never for slow.internal."""

    def __init__(self, *answers: Answer | Failure) -> None:
        self.answers = list(answers)

    async def look_up(self, question: Question) -> Answer | Failure:
        if question.name.host == "slow.internal" or not self.answers:
            await trio.sleep(1000)
        return self.answers.pop(0)


async def test_one_name_does_not_wait_for_another(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    told: list[tuple[float, str, str, Place | None, str]] = []

    def tell(pool: str, server: str, place: Place | None, *, trouble: str) -> None:
        told.append((trio.current_time(), pool, server, place, trouble))

    began_at = trio.current_time()
    resolver = Resolver(Answer((ONE,)), Answer((TWO, ONE)), Failure("timeout: nobody"))
    nursery.start_soon(Discovery(POOLS, tell, look_up=resolver.look_up).run)
    await trio.sleep(25)

    lacking = "no address left: app.internal has 1 address for 2 servers"
    assert [(at - began_at, *rest) for at, *rest in told] == [
        (0, "web", "app1", ONE, ""),
        (0, "web", "app2", None, lacking),
        (10, "web", "app1", ONE, ""),
        (10, "web", "app2", TWO, ""),
        (20, "web", "app1", ONE, "timeout: nobody"),
        (20, "web", "app2", TWO, "timeout: nobody"),
    ]


async def test_without_names_there_is_nothing_to_do(autojump_clock: MockClock) -> None:
    pool = Pool(servers={"old": Server(address=Endpoint("192.0.2.9", 80))})

    def tell(pool: str, server: str, place: Place | None, *, trouble: str) -> None:
        raise AssertionError(server)

    with trio.move_on_after(60):
        await Discovery({"web": pool}, tell).run()


async def test_once(autojump_clock: MockClock) -> None:
    pool = Pool(servers={"app": Server(address=Endpoint("app.internal", 80), count=2)})
    found = await resolve_once({"web": pool}, Resolver(Answer((ONE,))).look_up)
    lacking = "no address left: app.internal has 1 address for 2 servers"
    assert found == {("web", "app1"): ONE, ("web", "app2"): lacking}
