"""All that a node knows of one server, and how it changes by probes, agents, errors and people. Pure."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from balancer.checks.agent_words import AgentWords
from balancer.config_checks import Check, OnError
from balancer.health import Health
from balancer.standing import Admin, Place, Standing

Forced = Literal["up", "stopping", "down"]
"""Somebody's word for the checks of a server."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server. Each method gives the next one; `now` is on any one clock, in seconds."""

    weight_in_file: int
    health: Health | None
    """By its checks; None: there are none."""
    agent_up: bool = True
    agent_text: str = ""
    """What its agent said last."""
    admin: Admin = "ready"
    admin_by: str = ""
    """Who said so, and why."""
    weight: int | None = None
    max_connections: int | None = None
    resolved: bool = True
    """Its address is known."""
    place: Place | None = None
    """Where it is, or was last, by its name; None: where the file says, or not known yet."""
    resolution: str = ""
    """Why its address is not known, or not as fresh as it should be."""
    flip_reason: str = ""
    """Why it last went UP, DOWN, into MAINT or back."""
    flipped_at: float | None = None
    returned_at: float | None = None
    """When it last came back; None: it never went."""
    checks_on: bool = True
    """False: somebody stopped them; what they said last holds."""
    agent_on: bool = True
    failed_probes: int = 0
    downs: int = 0
    """How often it went DOWN."""
    down_before_s: float = 0.0
    """How long it was DOWN, without the time since `down_at`."""
    down_at: float | None = None
    """Since when it is DOWN; None: it is UP, or was DOWN from the start."""

    @classmethod
    def initial(cls, weight: int, check: Check | None, *, resolved: bool = True, disabled: bool = False) -> Self:
        health = None if check is None else Health.initial(rise=check.rise, fall=check.fall, state=check.initial)
        resolution = "" if resolved else "its name is not resolved yet"
        state = cls(weight, health, resolved=resolved, resolution=resolution)
        return replace(state, admin="maint", admin_by="the file") if disabled else state

    @property
    def up(self) -> bool:
        """By checks and agent."""
        return self.agent_up and (self.health is None or self.health.up)

    @property
    def is_stopping(self) -> bool:
        """UP, and yet to be left by new work (HAProxy's NOLB)."""
        return self.health is not None and self.health.stopping

    @property
    def text(self) -> str:
        """`UP`, `UP 2/3`, `NOLB`, `DOWN`, `DOWN 1/2`, `DOWN (agent)`; `no check`; `MAINT (resolution)`."""
        if not self.resolved:
            return "MAINT (resolution)"
        if not self.agent_up and (self.health is None or self.health.up):
            return "DOWN (agent)"
        return "no check" if self.health is None else self.health.text

    @property
    def is_probed(self) -> bool:
        """In MAINT nothing is looked at."""
        return self.admin != "maint" and self.resolved and self.checks_on

    @property
    def own_weight(self) -> int:
        """By its SRV record, or the file."""
        return self.weight_in_file if self.place is None or self.place.weight is None else self.place.weight

    def standing(self, now: float) -> Standing:
        """For those who choose servers."""
        return Standing(
            up=self.up,
            admin="drain" if self.is_stopping and self.admin == "ready" else self.admin,
            weight=self.weight if self.place is None or self.weight is not None else self.place.weight,
            max_connections=self.max_connections,
            resolved=self.resolved,
            place=self.place,
            age_s=None if self.returned_at is None else now - self.returned_at,
        )

    def probed(self, passed: bool, *, reason: str, now: float) -> Self:
        """A probe's verdict."""
        assert self.health is not None
        failed_probes = self.failed_probes + (not passed)
        after = replace(self, health=self.health.after(passed, reason=reason, now=now), failed_probes=failed_probes)
        return after._flipped_since(self, reason, now)

    def erred(self, on_error: OnError, *, reason: str, now: float) -> Self:
        """Too many errors of real traffic in a row."""
        if self.health is None or self.admin == "maint" or not self.resolved:
            return self
        after = replace(self, health=self.health.after_errors(on_error, reason=reason, now=now))
        return after._flipped_since(self, reason, now)

    def agent_said(self, words: AgentWords, *, now: float) -> Self:
        """In HAProxy's order: admin state, weight, limit, health. What it does not speak of stays as it was."""
        after = replace(self, agent_text=words.text)
        if words.admin is not None and words.admin != after.admin:
            after = after.administered(words.admin, by="its agent", now=now)
        if words.weight is not None:
            after = replace(after, weight=min(256, words.weight))
        if words.percent is not None:
            after = replace(after, weight=min(256, self.own_weight * words.percent // 100))
        if words.max_connections is not None:
            after = replace(after, max_connections=words.max_connections or None)
        if words.health is not None:
            after = replace(after, agent_up=words.health == "up")
        return after._flipped_since(self, f"its agent says {words.text}".rstrip(), now)

    def administered(self, admin: Admin, *, by: str, now: float) -> Self:
        """Somebody's word. Whoever returns from MAINT is UP, and one failure from DOWN."""
        if admin == self.admin:
            return self
        health = self.health
        if self.admin == "maint" and health is not None:
            health = replace(health, count=health.rise)
        after = replace(self, admin=admin, admin_by=by, health=health)
        return after._flipped_since(self, f"{admin.upper()} by {by}", now)

    def placed(self, place: Place | None, *, trouble: str, now: float) -> Self:
        """What its name resolves to; None: nothing, and `trouble` says why.

        A server that moves keeps its health, but is not more than one failure from DOWN: nobody has looked there yet.
        """
        if place is None:
            return replace(self, resolved=False, resolution=trouble)._flipped_since(self, trouble, now)
        health = self.health
        if health is not None and self.place is not None and self.place.endpoint != place.endpoint:
            health = replace(health, count=min(health.count, health.rise))
        after = replace(self, resolved=True, place=place, resolution=trouble, health=health)
        return after._flipped_since(self, f"its name resolves to {place.endpoint}", now)

    def forced(self, word: Forced, *, by: str, now: float) -> Self:
        """Somebody's word for its checks, until they say otherwise: wholly UP, stopping and otherwise well, or DOWN."""
        if self.health is None:
            raise ValueError("health checks are not enabled on this server.")
        count = 0 if word == "down" else self.health.rise + self.health.fall - 1
        after = replace(self, health=replace(self.health, count=count, stopping=word == "stopping"))
        return after._flipped_since(self, f"{word.upper()} by {by}", now)

    def examined_otherwise(self, health: Health | None, *, now: float) -> Self:
        """Its checks are others; None: there are none any more, and it is taken to be UP."""
        return replace(self, health=health)._flipped_since(self, "its checks are configured otherwise", now)

    def watched(self, *, checks: bool | None = None, agent: bool | None = None) -> Self:
        """Whether its checks are made, and its agent is asked; None: as it was."""
        checks_on = self.checks_on if checks is None else checks
        return replace(self, checks_on=checks_on, agent_on=self.agent_on if agent is None else agent)

    def limited(self, max_connections: int | None) -> Self:
        """A limit instead of the one in the file; None: that one again."""
        return replace(self, max_connections=max_connections)

    def down_s(self, now: float) -> float:
        """How long it was DOWN so far."""
        return self.down_before_s + (0.0 if self.down_at is None else now - self.down_at)

    def weighed(self, weight: int | None) -> Self:
        """A weight, 0 to 256, instead of the one in the file; None: that one again."""
        if weight is not None and not 0 <= weight <= 256:
            raise ValueError("weight must be from 0 to 256")
        return replace(self, weight=weight)

    def _serves(self) -> bool:
        return self.up and self.admin != "maint" and self.resolved

    def _condition(self) -> tuple[bool, Admin, bool, bool]:
        return self.up, self.admin, self.resolved, self.is_stopping

    def _flipped_since(self, before: Self, reason: str, now: float) -> Self:
        if self._condition() == before._condition():
            return self
        returned_at = now if self._serves() and not before._serves() else self.returned_at
        after = replace(self, flip_reason=reason, flipped_at=now, returned_at=returned_at)
        if before.up and not self.up:
            return replace(after, downs=self.downs + 1, down_at=now)
        return replace(after, down_before_s=self.down_s(now), down_at=None) if self.up and not before.up else after
