"""What a worker does when its node orders something of its connections and frontends."""

from dataclasses import replace

from balancer.engine import Engine
from balancer.sessions import end_session, end_sessions, sessions
from hapair.messages import Obeyed, Order

MOST_SESSIONS = 5_000
"""That a worker tells of at once."""


def obey(engine: Engine, order: Order) -> Obeyed:
    """Returns at once. A frontend that there is not is left alone."""
    match order.what:
        case "list":
            return Obeyed(
                order.serial, sessions=tuple(sessions(engine.acceptors(), engine.worker_index, MOST_SESSIONS))
            )
        case "end":
            return Obeyed(order.serial, count=end_session(engine.acceptors(), engine.worker_index, order.number))
        case "errors":
            services = [one.service for one in engine.acceptors()]
            kept = tuple(evidence for service in services for evidence in service.evidence)
            return Obeyed(order.serial, count=sum(one.evidence.count for one in services), errors=kept)
        case "forget_maxima" | "forget_counts":
            engine.forget_maxima(totals=order.what == "forget_counts")
            return Obeyed(order.serial)
        case "end_server":
            return Obeyed(order.serial, count=end_sessions(engine.acceptors(), order.pool, order.server))
    acceptors = engine.acceptors(order.frontend)
    for acceptor in acceptors:
        match order.what:
            case "pause":
                acceptor.pause()
            case "resume":
                acceptor.start()
            case "limit":
                service = acceptor.service
                service.config = replace(service.config, max_connections=order.number)
                acceptor.look()
    return Obeyed(order.serial, count=len(acceptors))
