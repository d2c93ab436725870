"""What a rollout sees when it decides: everything read once, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.api.rollout import Audience
from trimtab.api.rollout_status import RevisionRef, RolloutStatus


@dataclass(frozen=True, slots=True)
class Routed:
    """A host's traffic.

    Attributes:
        weights: percent by revision, those above 0; they sum to 100.
        mirror: revision that gets copies of `mirror_percent` of the requests; None for no mirror.
        chosen: revision that answers `audience`; None for no audience.
        preview: revision that alone answers `preview_host`; None for no second host.
    """

    weights: Mapping[str, int]
    mirror: str | None = None
    mirror_percent: int = 0
    chosen: str | None = None
    audience: Audience | None = None
    preview: str | None = None
    preview_host: str = ""

    def names(self) -> frozenset[str]:
        """Revisions that get any request."""
        return frozenset(self.weights) | {one for one in (self.mirror, self.chosen, self.preview) if one}


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """A revision's server.

    Attributes:
        ready: it answers.
        gone: there is none.
        since_s: seconds in this state.
        restarts: since it was first started.
        replicas: how many of it answer.
        least: how many were asked for; None where there is one and no other number.
    """

    ready: bool
    gone: bool
    since_s: float
    restarts: int
    message: str = ""
    replicas: int = 1
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """A person's newest order."""

    id: str
    verb: str
    revision: str
    step: str
    by: str


@dataclass(frozen=True, slots=True)
class Newest:
    """The revision that the registry holds for candidate.

    Attributes:
        rejected: why it stays out; None if it does not.
        attempt: how often it has been retried.
        retried_by: ids of the orders that did.
    """

    ref: RevisionRef
    rejected: str | None = None
    attempt: int = 0
    retried_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Copies:
    """Whether the gateway can copy requests, and whether answers can be paired; None while that is not known."""

    supported: bool | None = True
    paired: bool | None = True
    because: str = ""


@dataclass(frozen=True, slots=True)
class Apart:
    """By what the gateway can tell callers apart: some of header, cookie, hash."""

    ways: frozenset[str] = frozenset({"header", "cookie", "hash"})
    because: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """The world of one rollout at one moment.

    Attributes:
        status: as stored, its times brought up to now, its checks judged on what is known now.
        newest: None where the registry has no candidate, or cannot say.
        candidate_rejected: whether the registry already bars the candidate in flight.
        routed: what the gateway was told last; None without a route.
        in_effect: whether it does so.
        copies: what it can do for a shadow.
        apart: what it can do for an audience.
        starved_s: seconds for which the candidate has answered under half of what it was sent, and stable not.
        unreached_s: seconds for which the gateway has found no endpoint of the candidate, and of stable one.
        requests: requests that the candidate got since the step began.
        unwarmed: what the last warm-up request met that the candidate did not answer; "" where it did.
    """

    status: RolloutStatus
    newest: Newest | None = None
    candidate_rejected: bool = False
    routed: Routed | None = None
    in_effect: bool = True
    copies: Copies = Copies()
    apart: Apart = Apart()
    servers: Mapping[str, ServerSeen] = field(default_factory=dict)
    order: Ordered | None = None
    suspended: bool = False
    starved_s: float = 0.0
    unreached_s: float = 0.0
    requests: int = 0
    unwarmed: str = ""

    def ready(self, ref: RevisionRef | None) -> bool:
        """Whether a revision's server answers."""
        return ref is not None and (server := self.servers.get(ref.revision)) is not None and server.ready

    def hindered(self, ref: RevisionRef | None) -> str:
        """What hinders a revision's server, as the end of a sentence; "" if nothing is known."""
        server = self.servers.get(ref.revision) if ref is not None else None
        return f": {server.message}" if server is not None and server.message else ""

    def flows(self, wish: Routed | None) -> bool:
        """Whether this is the traffic, told and done."""
        return self.in_effect and self.routed == wish

    def gone(self, ref: RevisionRef) -> bool:
        """Whether a revision has no server."""
        return (server := self.servers.get(ref.revision)) is None or server.gone

    def restarts(self, ref: RevisionRef | None) -> int:
        """How often a revision's server has been started again."""
        server = self.servers.get(ref.revision) if ref is not None else None
        return server.restarts if server is not None else 0

    def new_order(self, verb: str, ref: RevisionRef | None) -> Ordered | None:
        """The newest order, if it is of this verb, about this revision, and not yet obeyed."""
        order = self.order
        if order is None or ref is None or order.verb != verb or order.revision != ref.revision:
            return None
        return None if order.id in self.status.acts else order
