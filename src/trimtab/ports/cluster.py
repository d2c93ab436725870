"""A Kubernetes API, as an adapter sees it: plain JSON objects, reads from caches, writes with one field owner.

An object is what the API server sends: apiVersion, kind, metadata and the rest. A read is of a cache that a watch
keeps, so it may be a moment old; a write that must not rest on an old read carries the resourceVersion that it was
decided on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from trimtab.api.errors import InputRefused, SurroundingsFailed

Object = Mapping[str, Any]
"""One object as JSON. Objects from a cache are shared: never change one in place."""

FIELD_MANAGER: Final = "trimtab"
"""The one field owner of everything that is applied."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object and where the API server serves it.

    Attributes:
        group: "" for the core group.
        plural: the resource's name in the URL.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """
        >>> Kind("apps", "v1", "Deployment", "deployments").api_version
        'apps/v1'
        """
        return f"{self.group}/{self.version}" if self.group else self.version


class Refused(InputRefused):
    """The API server understood the write, and says no: invalid, forbidden, over quota. `reason` is its word."""

    def __init__(self, message: str, *, reason: str = "", remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


def happened(event: Object) -> str:
    """When a core event was seen last: RFC 3339, in UTC, so that texts sort as times do."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or "")


class NotInstalled(SurroundingsFailed):
    """The API server does not know a kind: a part of the cluster is missing, and may come."""


class Cluster(Protocol):
    """Calls block; each ends within a timeout.

    Raises:
        SurroundingsFailed: the API server cannot be reached or fails.
        NotInstalled: it does not know the kind.
        ports.state.Conflict: somebody else wrote since the resourceVersion that was given; or, where this process
            is no longer leader, nothing was sent.
        Refused: the API server says no.
    """

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """From the cache; what this process wrote is there at once. `namespace` is "" for a cluster's own."""

    def list(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> Sequence[Object]:
        """From the cache: all of a namespace ("" for every one) that carry these labels, by name."""

    def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """From the API server itself, for what is not watched (a Secret, a Job's pod) or must not be old."""

    def events(self, kind: Kind, namespace: str, name: str, reason: str) -> Sequence[Object]:
        """What the API server still holds of what happened to one object for one reason, oldest first: for what no
        status says. From the API server itself; core events, kept for an hour."""

    def installed(self, kind: Kind) -> bool:
        """Whether the API server serves the kind; known within a minute of its installation."""

    def create(self, obj: Object, *, account: str = "") -> Object | None:
        """Make it; None where one of this name is there already.

        Args:
            account: service account of the object's namespace to impersonate; "" for the process's own identity.
        """

    def apply(self, obj: Object, *, account: str = "", dry_run: bool = False) -> Object:
        """Server-side apply, forced, as FIELD_MANAGER. With metadata.resourceVersion it is refused when stale."""

    def replace(self, obj: Object, *, account: str = "") -> Object:
        """Write the whole object as read and changed; metadata.resourceVersion is required."""

    def write_status(self, obj: Object) -> Object:
        """Write the status subresource; metadata.resourceVersion is required."""

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "", account: str = "") -> None:
        """Delete it in the background, if it is there and is (where given) this one."""

    def report(
        self,
        about: Object,
        reason: str,
        note: str,
        *,
        warning: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """An event of events.k8s.io/v1 about an object, for a person; never fails.

        Args:
            annotations: what a program reads of it.
        """
