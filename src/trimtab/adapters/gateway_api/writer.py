"""What writes a rollout's routes, and puts back what others edit in them."""

from collections.abc import Callable, Mapping
from typing import Any

from trimtab.adapters.children import Json, Place
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import WRITTEN, digest, split_of
from trimtab.ports.cluster import FIELD_MANAGER, Cluster, Object, Refused
from trimtab.ports.gateway import RouteRefused, Split


class Writer:
    """Writes as the rollout's service account.

    Every write raises RouteRefused where the API server says no.

    Attributes:
        edit: what was edited last and put back, in a sentence; "" if nothing was.
    """

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self.edit = ""
        self._cluster, self._place = cluster, place
        self._same: dict[str, tuple[str, str]] = {}

    def move(self, place: Place) -> None:
        """Write as another account from now on."""
        self._place = place

    def create(self, wish: Json) -> Object | None:
        """None where one of its name has just been made."""
        return _taken(lambda: self._cluster.create(wish, account=self._place.account))

    def replace(self, wish: Json) -> Object | None:
        """None where it has just gone."""
        return _taken(lambda: self._cluster.replace(wish, account=self._place.account))

    def delete(self, held: Object) -> None:
        meta, account = held["metadata"], self._place.account
        self._cluster.delete(
            HTTP_ROUTE, self._place.namespace, meta["name"], uid=meta["uid"], account=account
        )

    def put_back(self, held: Object, wish: Json) -> bool:
        """Write one of our routes as it should be; whether somebody had edited it."""
        stored, built, name = digest(held["spec"]), digest(wish["spec"]), held["metadata"]["name"]
        same = stored == built or self._same.get(name) == (built, stored)
        if same and wish["metadata"] == held["metadata"]:
            return False
        edited = self.note_edit(held)
        made = self.replace(wish)
        if made is None:
            return edited
        if made["metadata"].get("generation") == held["metadata"].get("generation"):
            # The API server adds what it takes for a default: nobody edited it.
            self._same[name] = (built, digest(made["spec"]))
        return edited

    def note_edit(self, held: Object) -> bool:
        """Whether the spec is not what we wrote last; said to a person once."""
        written = (held["metadata"].get("annotations") or {}).get(WRITTEN)
        stored = digest(held["spec"])
        if written in (None, stored) or self._same.get(held["metadata"]["name"]) == (written, stored):
            return False
        self.edit = f"HTTPRoute '{held['metadata']['name']}' was edited by {_editor(held)} and put back"
        self._cluster.report(held, "RouteEdited", self.edit, warning=True)
        return True

    def check(self, made: Object, split: Split, before: Object | None) -> None:
        """Raises RouteRefused where the API server has dropped what it does not know: an older Gateway API."""
        stored = split_of(made)
        wished = {revision: weight for revision, weight in split.weights.items() if weight > 0}
        percent = split.mirror_percent if split.mirror else 0
        if (dict(stored.weights), stored.mirror_percent) == (wished, percent):
            return
        if before is not None:
            version = {"resourceVersion": made["metadata"]["resourceVersion"]}
            self.replace({**before, "metadata": {**before["metadata"], **version}})
        raise RouteRefused(
            f"the cluster's Gateway API keeps no mirror of {percent} %: its HTTPRoute is older than 1.4"
        )


def _taken(write: Callable[[], Object | None]) -> Object | None:
    try:
        return write()
    except Refused as error:
        raise RouteRefused(str(error)) from error


def _editor(held: Object) -> str:
    """Who wrote the spec last, but us, as the API server remembers."""
    entries: list[Mapping[str, Any]] = [
        one
        for one in held["metadata"].get("managedFields") or []
        if not one.get("subresource") and one.get("manager") != FIELD_MANAGER
    ]
    newest = max(entries, key=lambda one: str(one.get("time", "")), default=None)
    return f"'{newest.get('manager', 'somebody')}'" if newest else "somebody"
