"""ports.Servers over KServe: one InferenceService a revision of one ModelRollout."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, Final

from trimtab.adapters.children import REVISION, ROLLOUT, Fact, Place
from trimtab.adapters.kserve import asking
from trimtab.adapters.kserve.asking import Http
from trimtab.adapters.kserve.checked import TYPE as DIGEST_CHECKED
from trimtab.adapters.kserve.checked import digest_fact
from trimtab.adapters.kserve.inference_service import inference_service, scaled
from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE, POD
from trimtab.adapters.kserve.names import service_name
from trimtab.adapters.kserve.observing import Backend, Seen, seen
from trimtab.adapters.kserve.storage import NotServable
from trimtab.adapters.kserve.template import Serving, TemplateRefused, has_transformer
from trimtab.adapters.kserve.told import Told, told
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.cluster import Cluster, Object, Refused
from trimtab.ports.servers import Revision, Server, ServerState, Warmed

READY_FOR_S: Final = 10.0
"""A server that answered ready is not asked again for so long, unless its pods changed."""
NOT_READY_FOR_S: Final = 1.0
MISTYPED: Final = "typed patch object"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a server said of itself; `about` are the replicas and restarts that it was asked at."""

    at_s: float
    about: tuple[int, int]
    said: str


class KserveServers:
    """The servers of one rollout's revisions.

    Args:
        samples: example rows of the model at an address; none where there are none.
        in_use: whether a gateway still sends a revision anything; such a one is not deleted.
        http: how a Service is asked.
        clock_s: monotonic.
    """

    def __init__(
        self,
        cluster: Cluster,
        place: Place,
        serving: Serving,
        *,
        samples: Callable[[str], Sequence[Any]] = lambda uri: (),
        in_use: Callable[[str], bool] = lambda revision: False,
        http: Http = asking.direct,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._place, self._serving = cluster, place, serving
        self._samples, self._in_use, self._http, self._clock_s = samples, in_use, http, clock_s
        self._asked: dict[str, Asked] = {}
        self._since: dict[str, tuple[ServerState, float]] = {}
        self._least: dict[str, int] = {}
        self._read: dict[str, tuple[tuple[Object, ...], Seen]] = {}

    def respec(self, place: Place, serving: Serving) -> None:
        """Serve by another spec from now on; what runs goes on as it is."""
        self._place, self._serving = place, serving

    def observed(self) -> Mapping[str, Server]:
        found = {}
        for each in self._seen():
            state, message = self._state(each)
            known = self._since.get(each.name)
            if known is None or known[0] is not state:
                self._since[each.name] = (state, self._clock_s())
            found[each.revision] = Server(
                revision=each.revision,
                state=state,
                since_s=self._clock_s() - self._since[each.name][1],
                restarts=each.restarts,
                message=message,
                replicas=each.replicas,
                least=self._least_of(each),
                serves=each.serves,
            )
        return found

    def ensure(self, model_name: str, revision: Revision) -> None:
        """Create its InferenceService, or own again one that was left behind.

        Raises:
            TemplateRefused, NotServable, InputRefused: no InferenceService can be made of it.
            Refused: the API server says no, or another rollout has one of this name.
        """
        held = self._object(revision.id)
        if held is None:
            wish = self._wish(revision)
            name = wish["metadata"]["name"]
            if self._cluster.create(wish, account=self._place.account) is not None:
                return
            held = self._cluster.read(INFERENCE_SERVICE, self._place.namespace, name)
            if held is None:
                return
        labels = held["metadata"].get("labels") or {}
        if labels.get(ROLLOUT) != self._place.label or labels.get(REVISION) != revision.id:
            raise Refused(
                f"InferenceService '{held['metadata']['name']}' is there already and is not this rollout's",
                reason="AlreadyExists",
                remedy="delete it, or name the ModelRollout otherwise",
            )
        if "deletionTimestamp" in held["metadata"]:
            return
        if self._place.uid and not _owned(held, self._place.uid):
            self._replace({**held, "metadata": {**held["metadata"], "ownerReferences": self._place.owners}})

    def scale(self, revision: str, least: int) -> None:
        held = self._object(revision)
        if held is None or "deletionTimestamp" in held["metadata"]:
            return
        wish = scaled(held, least)
        if wish["spec"] != held["spec"]:
            self._replace(wish)
        self._least[held["metadata"]["name"]] = least

    def retire(self, revision: str) -> None:
        """Raises SurroundingsFailed while a gateway may still send it something."""
        held = self._object(revision)
        if held is None or "deletionTimestamp" in held["metadata"]:
            return
        if self._in_use(revision):
            raise SurroundingsFailed(f"the gateway may still send revision {revision} something")
        meta = held["metadata"]
        self._cluster.delete(
            INFERENCE_SERVICE,
            self._place.namespace,
            meta["name"],
            uid=meta["uid"],
            account=self._place.account,
        )

    def warm(self, revision: str, requests: int) -> Warmed:
        each = next((one for one in self._seen() if one.revision == revision and not one.going), None)
        if each is None or each.backend is None:
            return Warmed(0, "no address yet")
        rows = self._samples(each.serves.uri) if each.serves else ()
        return asking.warm(
            self._http, self._host(each.backend), each.backend.port, each.model_name, rows, requests
        )

    def address(self, revision: str) -> Backend | None:
        """Where a revision's Service is; None until KServe has said so, and once it is being deleted."""
        each = next((one for one in self._seen() if one.revision == revision and not one.going), None)
        return each.backend if each else None

    def template_fact(self, revision: Revision) -> Fact:
        """TemplateValid: whether the API server and KServe's webhooks would take the revision's InferenceService."""
        try:
            wish = self._wish(revision)
            if self._object(revision.id) is None:
                self._cluster.apply(wish, account=self._place.account, dry_run=True)
        except TemplateRefused as error:
            return Fact("TemplateValid", "False", error.reason, str(error))
        except NotServable as error:
            return Fact("TemplateValid", "False", "NotServable", str(error))
        except Refused as error:
            return Fact("TemplateValid", "False", error.reason or "Refused", str(error))
        except InputRefused as error:
            return Fact("TemplateValid", "False", "Invalid", str(error))
        except SurroundingsFailed as error:
            # The API server answers 500 to an apply that has a text where a mapping belongs.
            if MISTYPED in error.message:
                return Fact("TemplateValid", "False", "Invalid", error.message)
            return Fact("TemplateValid", "Unknown", "NotAsked", error.message)
        return Fact("TemplateValid", "True", "Accepted", "the API server takes it")

    def digest_fact(self, revision: Revision) -> Fact:
        """DigestChecked: whether the server that the template names checks what it loads."""
        try:
            way = told(self._cluster, self._place.namespace, self._serving.template)
        except (SurroundingsFailed, InputRefused) as error:
            return Fact(
                DIGEST_CHECKED, "Unknown", "NotAsked", f"which server it would be is not known: {error}"
            )
        return digest_fact(revision, way)

    def _wish(self, revision: Revision) -> Mapping[str, Any]:
        serving = self._serving
        inference_service(
            self._place, serving, revision, Told.MODEL_NAME
        )  # refused before the cluster is asked
        way = told(self._cluster, self._place.namespace, serving.template)
        return inference_service(self._place, serving, revision, way)

    def _object(self, revision: str) -> Object | None:
        for held in self._objects():
            if held["metadata"]["labels"].get(REVISION) == revision:
                return held
        transformer = has_transformer(self._serving.template)
        name = service_name(self._place, revision, transformer=transformer)
        return self._cluster.get(INFERENCE_SERVICE, self._place.namespace, name)

    def _objects(self) -> Sequence[Object]:
        return self._cluster.list(INFERENCE_SERVICE, self._place.namespace, {ROLLOUT: self._place.label})

    def _seen(self) -> list[Seen]:
        mine = [one for one in self._objects() if REVISION in one["metadata"]["labels"]]
        wanted = {ROLLOUT: self._place.label}
        deployments = (
            _by_revision(self._cluster.list(DEPLOYMENT, self._place.namespace, wanted)) if mine else {}
        )
        pods = _by_revision(self._cluster.list(POD, self._place.namespace, wanted)) if mine else {}
        self._read = {one["metadata"]["name"]: self._once(one, deployments, pods) for one in mine}
        return [found for _, found in self._read.values()]

    def _once(
        self, one: Object, deployments: Mapping[str, list[Object]], pods: Mapping[str, list[Object]]
    ) -> tuple[tuple[Object, ...], Seen]:
        """Read anew where anything is another object than the last time: a cache changes none that it gave."""
        revision, known = one["metadata"]["labels"][REVISION], self._read.get(one["metadata"]["name"])
        theirs, its = deployments.get(revision, []), pods.get(revision, [])
        of = (one, *theirs, *its)
        if known is not None and len(known[0]) == len(of) and all(map(is_, known[0], of)):
            return known
        return of, seen(one, theirs, its)

    def _state(self, each: Seen) -> tuple[ServerState, str]:
        if each.going:
            return ServerState.GONE, "it is being deleted"
        was = self._since.get(each.name)
        answered = was is not None and was[0] in (ServerState.READY, ServerState.NOT_READY)
        without = ServerState.NOT_READY if answered else ServerState.STARTING
        if each.backend is None:
            return without, each.message or "KServe has not said its address"
        if not each.replicas:
            return without, each.message or "no replica is available"
        said = self._ask(each, each.backend)
        return (ServerState.READY, each.message) if not said else (without, said)

    def _ask(self, each: Seen, backend: Backend) -> str:
        about, now = (each.replicas, each.restarts), self._clock_s()
        held = self._asked.get(each.name)
        fresh_s = NOT_READY_FOR_S if held is not None and held.said else READY_FOR_S
        if held is not None and held.about == about and now - held.at_s < fresh_s:
            return held.said
        said = asking.is_ready(self._http, self._host(backend), backend.port, each.model_name)
        self._asked[each.name] = Asked(now, about, said)
        return said

    def _least_of(self, each: Seen) -> int:
        """What was asked last, where the object is still so; else as far as the object shows it."""
        asked = self._least.get(each.name, 0)
        held = all(now == max(low, asked) for low, now in each.minima)
        return asked if asked and held else each.least

    def _host(self, backend: Backend) -> str:
        return f"{backend.service}.{self._place.namespace}.svc"

    def _replace(self, obj: Mapping[str, Any]) -> None:
        self._cluster.replace(obj, account=self._place.account)


def _owned(obj: Object, uid: str) -> bool:
    return any(one.get("uid") == uid for one in obj["metadata"].get("ownerReferences") or [])


def _by_revision(objects: Sequence[Object]) -> defaultdict[str, list[Object]]:
    found: defaultdict[str, list[Object]] = defaultdict(list)
    for one in objects:
        found[(one["metadata"].get("labels") or {}).get(REVISION, "")].append(one)
    return found
