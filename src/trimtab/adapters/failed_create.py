"""Why a controller cannot make pods, where no status says it: its events of reason FailedCreate.

The status of a StatefulSet or a Job does not tell a pod that is refused from one that is about to come.
"""

from collections.abc import Sequence
from typing import Final

from trimtab.adapters import hindrance
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Cluster, Kind, Refused, happened

REASON: Final = "FailedCreate"


def failed_create(
    cluster: Cluster,
    kind: Kind,
    namespace: str,
    name: str,
    *,
    since: str = "",
    remedies: Sequence[tuple[str, str]] = (),
) -> str:
    """Why the pods of this StatefulSet or Job were refused last; "" if they were not, or it may not be asked: an
    operator may have older rights. One call of the API server.

    Args:
        since: RFC 3339, in UTC; what happened until then is over.
        remedies: as `hindrance.refused` takes them.
    """
    try:
        events = cluster.events(kind, namespace, name, REASON)
    except (Refused, SurroundingsFailed):
        return ""
    said = [one.get("message", "") for one in events if happened(one) > since]
    return hindrance.refused(said[-1], remedies) if said else ""
