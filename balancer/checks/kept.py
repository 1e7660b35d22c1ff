"""What holds of all that is known of a server when it is configured otherwise: a change of the file wins. Pure."""

from dataclasses import replace

from balancer.config_pools import Pool
from balancer.health import Health
from balancer.serverstate import ServerState


def kept(state: ServerState, name: str, before: Pool, after: Pool, *, now: float) -> ServerState:
    """The state of a server that both pools have, as `after` has it.

    What somebody set while the node ran (a weight, a limit of connections) holds as long as the file says of it what
    it said before; READY, DRAIN and MAINT stand in no file, and hold. Health belongs to an address.
    """
    was, now_is = before.servers[name], after.servers[name]
    if was.weight != now_is.weight:
        state = replace(state, weight=None)
    if was.max_connections != now_is.max_connections:
        state = replace(state, max_connections=None)
    if after.agent is None:
        state = replace(state, agent_up=True, agent_text="", agent_on=True)
    state = replace(state, weight_in_file=now_is.weight)
    if was.address != now_is.address:
        new = ServerState.initial(now_is.weight, after.check, resolved=not now_is.address.is_name)
        return replace(
            new,
            admin=state.admin,
            admin_by=state.admin_by,
            weight=state.weight,
            max_connections=state.max_connections,
            checks_on=state.checks_on,
            agent_on=state.agent_on,
        )
    return state.examined_otherwise(_health(state.health, after), now=now)


def _health(known: Health | None, after: Pool) -> Health | None:
    check = after.check
    if check is None:
        return None
    if known is None:
        return Health.initial(rise=check.rise, fall=check.fall, state=check.initial)
    if (known.rise, known.fall) == (check.rise, check.fall):
        return known
    as_before = Health.initial(rise=check.rise, fall=check.fall, state="fully_up" if known.up else "fully_down")
    return replace(as_before, flip_reason=known.flip_reason, flipped_at=known.flipped_at)
