"""What of a frontend's routes is probably not meant: those that nothing reaches. Pure."""

from collections.abc import Iterator

from balancer.config import Frontend
from balancer.covering import covers, takes_everything
from hapair.config.errors import Problem
from hapair.config.tree import Path, Tree, dotted, problem_at
from hapair.config.types import HapairFile


def warnings(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """What holds together and does nothing."""
    for name, frontend in file.frontends.items():
        yield from _unreachable(name, frontend, tree)
        if frontend.maintenance is not None:
            yield problem_at(tree, ("frontends", name, "maintenance"), "is on: no request reaches a route or a pool")


def _unreachable(name: str, frontend: Frontend, tree: Tree) -> Iterator[Problem]:
    for i, route in enumerate(frontend.routes):
        place: Path = ("frontends", name, "routes", i)
        earlier = next((j for j in range(i) if covers(frontend.routes[j], route)), None)
        if earlier is not None:
            yield _never_reached(tree, place, _place_of(tree, name, earlier))
    last = next((i for i, route in enumerate(frontend.routes) if takes_everything(route)), None)
    if last is not None and frontend.pool is not None:
        message = f"no request is left for it: {_place_of(tree, name, last)} takes every one"
        yield problem_at(tree, ("frontends", name, "pool"), message)


def _never_reached(tree: Tree, place: Path, earlier: str) -> Problem:
    return problem_at(tree, place, f"is never reached: {earlier} takes all that it matches")


def _place_of(tree: Tree, frontend: str, i: int) -> str:
    place: Path = ("frontends", frontend, "routes", i)
    return f"{dotted(place[2:])} in line {tree.find(place)[1].line}"
