"""The gateway: splits one host's requests over model revisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from trimtab.api.rollout import Audience

Way = Literal["header", "cookie", "hash"]
WAYS: Final[frozenset[Way]] = frozenset({"header", "cookie", "hash"})


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets what of one host's requests.

    Attributes:
        weights: percent by revision, integers that sum to 100.
        mirror: revision that gets copies, and whose answers nobody sees; None for no mirror.
        mirror_percent: share of requests copied, 0–100.
        in_effect: whether the gateway is seen to do so; False while it has been told and has not settled.
        empty: revisions of which the gateway finds no endpoint.
        chosen: revision that answers the audience; None for no audience.
        audience: by header or cookie, whom `chosen` answers instead of what `weights` say; by hash, how the weights'
            draw is made, once a caller.
        preview: revision that alone answers a second host; None for no second host.
        preview_host: that host.
    """

    weights: Mapping[str, int]
    mirror: str | None = None
    mirror_percent: int = 0
    in_effect: bool = True
    empty: frozenset[str] = frozenset()
    chosen: str | None = None
    audience: Audience | None = None
    preview: str | None = None
    preview_host: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the gateway sent to one revision since the gateway started; `epoch` changes when it restarts.

    Attributes:
        requests, failed: routed requests that were completed, and those not answered by 2xx.
        mirrored, mirrored_failed: the same for copies.
        pending: requests and copies on their way. A request that was answered is among `requests`, and its
            copy is among `mirrored` or `pending`.
    """

    epoch: str
    requests: int
    failed: int
    mirrored: int
    mirrored_failed: int
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Mirroring:
    """Whether a gateway can copy requests; None while that is not known.

    Attributes:
        paired: whether request and copy carry the same X-Request-Id, so that their answers can be paired.
        because: why not, or why it is not known.
    """

    supported: bool | None
    paired: bool | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Tells:
    """By what a gateway can tell callers apart.

    Attributes:
        because: why by nothing else.
    """

    ways: frozenset[Way] = WAYS
    because: str = ""


class RouteRefused(Exception):
    """The gateway says no to a split; the message is its own."""


class Gateway(Protocol):
    def split(self, host: str) -> Split | None:
        """What the gateway was told last, and whether it does so; None when it has no route for the host."""

    def apply(self, host: str, split: Split) -> None:
        """Make `split` the host's traffic. Idempotent. `split(host)` says when it is in effect: at once where the
        adapter can wait for it, later where a controller carries it out.

        Raises RouteRefused if the gateway says no, SurroundingsFailed if it cannot be reached.
        """

    def sent(self, host: str) -> Mapping[str, Sent]:
        """Completed requests by revision."""


@runtime_checkable
class Mirrors(Protocol):
    """What a gateway can do beside splitting, where that differs from one to the next."""

    def mirroring(self, host: str) -> Mirroring:
        """What is known by now; returns at once."""

    def probe(self, host: str, stable: str, candidate: str) -> None:
        """Find out by marked requests, with two servers that answer. Asked at each look until it is known; bounded."""


@runtime_checkable
class Audiences(Protocol):
    """By what a gateway tells callers apart, where that differs from one to the next."""

    def tells(self, host: str) -> Tells:
        """What it can; returns at once."""
