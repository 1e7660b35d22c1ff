"""What holds of all that is known of a server when it is configured otherwise: a change of the file wins. Pure."""

from dataclasses import replace

from balancer.config_checks import Check
from balancer.config_pools import Pool, Server
from balancer.health import Health
from balancer.serverstate import ServerState


def kept(state: ServerState, name: str, before: Pool, after: Pool, *, now: float) -> ServerState:
    """The state of a server that both pools have, as `after` has it.

    What somebody set while the node ran (a weight, a limit of connections) holds as long as the file says of it what
    it said before; so do READY, DRAIN and MAINT, of which it says `disabled`. Health belongs to an address.
    """
    was, now_is = before.servers[name], after.servers[name]
    if was.weight != now_is.weight:
        state = replace(state, weight=None)
    if was.max_connections != now_is.max_connections:
        state = replace(state, max_connections=None)
    if was.disabled != now_is.disabled:
        state = state.administered("maint" if now_is.disabled else "ready", by="the file", now=now)
    if after.agent is None:
        state = replace(state, agent_up=True, agent_text="", agent_on=True)
    state = replace(state, weight_in_file=now_is.weight)
    if was.address != now_is.address:
        new = initial_state(now_is, after.check_of(name))
        return replace(
            new,
            admin=state.admin,
            admin_by=state.admin_by,
            weight=state.weight,
            max_connections=state.max_connections,
            checks_on=state.checks_on,
            agent_on=state.agent_on,
        )
    return state.examined_otherwise(_health(state.health, after.check_of(name)), now=now)


def initial_state(server: Server, check: Check | None) -> ServerState:
    """Of a server that is checked so, before anything is known of it."""
    resolved = not server.address.is_name
    return ServerState.initial(server.weight, check, resolved=resolved, disabled=server.disabled)


def _health(known: Health | None, check: Check | None) -> Health | None:
    if check is None:
        return None
    if known is None:
        return Health.initial(rise=check.rise, fall=check.fall, state=check.initial)
    if (known.rise, known.fall) == (check.rise, check.fall):
        return known
    as_before = Health.initial(rise=check.rise, fall=check.fall, state="fully_up" if known.up else "fully_down")
    return replace(as_before, flip_reason=known.flip_reason, flipped_at=known.flipped_at)
