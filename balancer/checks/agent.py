"""Asks the agent of a server how it stands: one connection, one line."""

import os
import re

import trio

from balancer.checks.agent_words import AgentWords, parse_words
from balancer.config_checks import AgentCheck
from balancer.fieldtypes import Endpoint
from balancer.sockets import address_of, family_of

LONGEST_LINE_BYTES = 16_384
_LINE_END = re.compile(rb"[\r\n]")


async def ask(agent: AgentCheck, endpoint: Endpoint) -> AgentWords | str:
    """What the agent says; a text where it says nothing that means anything. That is no word against the server."""
    try:
        with trio.fail_after(agent.timeout_s):
            line = await _line(agent, endpoint)
    except trio.TooSlowError:
        return "the agent did not answer in time"
    except OSError as error:
        return f"the agent cannot be reached: {os.strerror(error.errno).lower() if error.errno else error}"
    if line is None:
        return "the agent's line was not complete"
    return parse_words(line) or "the agent said no word that is known"


async def _line(agent: AgentCheck, endpoint: Endpoint) -> bytes | None:
    with trio.socket.socket(family_of(endpoint)) as connection:
        await connection.connect(address_of(endpoint))
        to_send = (agent.send or "").encode()
        while to_send:
            to_send = to_send[await connection.send(to_send) :]
        received = b""
        while len(received) < LONGEST_LINE_BYTES:
            data = await connection.recv(4096)
            if not data:
                return None
            received += data
            if match := _LINE_END.search(received):
                return received[: match.start()]
        return None
