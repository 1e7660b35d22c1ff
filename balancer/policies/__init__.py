"""How one server of several is chosen. Pure.

To add a policy, write a class with the two methods of `Policy` and enter it in `policy_of`.
"""

from balancer.config_pools import HashSettings
from balancer.config_pools import Policy as Name
from balancer.policies import keys
from balancer.policies.base import Candidate, Chance, Connections, Policy, Request
from balancer.policies.consistent_hash import ConsistentHash
from balancer.policies.first import First
from balancer.policies.least_connections import LeastConnections
from balancer.policies.round_robin import RoundRobin
from balancer.policies.two_choices import TwoChoices

__all__ = ["Candidate", "Chance", "Connections", "First", "Policy", "Request", "policy_of"]


def policy_of(name: Name, settings: HashSettings, connections: Connections, chance: Chance) -> Policy:
    """A new policy of this name."""
    match name:
        case "round_robin":
            return RoundRobin(connections)
        case "least_connections":
            return LeastConnections(connections)
        case "first":
            return First(connections)
        case "random":
            return TwoChoices(connections, chance)
    return ConsistentHash(connections, key_of(name, settings), settings.balance_percent)


def key_of(name: Name, settings: HashSettings) -> keys.Key:
    """What a hash policy reads of a request."""
    match name:
        case "uri_hash":
            return keys.uri(query=settings.query, depth=settings.depth)
        case "header_hash":
            return keys.header(settings.name or "")
        case "query_hash":
            return keys.parameter(settings.name or "")
        case "cookie_hash":
            return keys.cookie(settings.name or "")
    return keys.source
