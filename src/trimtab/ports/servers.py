"""Model servers, one a revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Revision:
    """One immutable thing that can serve.

    Attributes:
        id: hash8 of (model digest, rendered template, served name).
        version: the registry's version, as text.
        uri: the model folder's address.
        digest: sha256 of the model folder's manifest, hex.
    """

    id: str
    version: str
    uri: str
    digest: str


class ServerState(Enum):
    STARTING = "Starting"
    READY = "Ready"
    NOT_READY = "NotReady"
    GONE = "Gone"


@dataclass(frozen=True, slots=True)
class Server:
    """A revision's server as observed.

    Attributes:
        since_s: monotonic seconds that it has been in this state.
        restarts: times that it died and was started again.
        replicas: how many of it answer.
        least: how many were asked for by `scale`, 0 for as rendered; None where there is one and no other number.
        serves: what it was asked to serve; None where that is not kept.
    """

    revision: str
    state: ServerState
    since_s: float
    restarts: int
    message: str = ""
    replicas: int = 1
    least: int | None = None
    serves: Revision | None = None


@dataclass(frozen=True, slots=True)
class Warmed:
    """What a warm-up came to.

    Attributes:
        answered: requests answered by 2xx.
        said: what the last of the others met, status and text; "" where there was none.
    """

    answered: int
    said: str = ""


class Servers(Protocol):
    def observed(self) -> Mapping[str, Server]:
        """All servers of this model, by revision id."""

    def ensure(self, model_name: str, revision: Revision) -> None:
        """Ask for a server of the revision; returns at once. Idempotent."""

    def scale(self, revision: str, least: int) -> None:
        """Keep at least so many replicas of it, 0 for as rendered; returns at once. Idempotent.

        One machine has one, and does nothing.
        """

    def retire(self, revision: str) -> None:
        """Drain and stop it. Idempotent. The caller has taken it off the route before."""

    def warm(self, revision: str, requests: int) -> Warmed:
        """Send real example requests past the gateway.

        Warm-up requests carry header `x-trimtab-warmup: 1` and are not logged.
        """
