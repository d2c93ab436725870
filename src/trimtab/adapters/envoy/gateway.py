"""ports.Gateway over Envoy's watched files.

Order of a change (a route must never name a cluster that is not there): clusters are added and seen, then
routes are written and seen in effect, then clusters of servers that are gone are taken away. Clusters of
live servers stay, so their counters do. Any process may change the split: a lock on the folder orders them.
"""

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab.adapters.envoy import clusters as cluster_files
from trimtab.adapters.envoy import routes as route_files
from trimtab.adapters.envoy import watched
from trimtab.adapters.envoy.admin import Admin, routed_version
from trimtab.adapters.envoy.bootstrap import STAT_PREFIX, bootstrap
from trimtab.adapters.envoy.clusters import Cluster, Purpose, cluster_name
from trimtab.adapters.envoy.watched import Response
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.gateway import RouteRefused, Sent, Split

SEEN_WITHIN_S = 30.0
POLL_S = 0.002


@dataclass(frozen=True, slots=True)
class EnvoyPlace:
    """Where one Envoy's files are.

    Attributes:
        directory: absolute.
        host: name of the model host, by which callers of the port name it.
        model_name: served name, which the paths hold.
        timeout_s: a request is cut after this.
    """

    directory: Path
    host: str
    model_name: str
    timeout_s: float = 60.0

    @property
    def bootstrap(self) -> Path:
        return self.directory / "bootstrap.json"

    @property
    def clusters(self) -> Path:
        return self.directory / "clusters.json"

    @property
    def routes(self) -> Path:
        return self.directory / "routes.json"

    @property
    def admin_address(self) -> Path:
        return self.directory / "admin-address.txt"


def write_start_files(place: EnvoyPlace, port: int) -> None:
    """What Envoy needs before its first start; routes and clusters of an earlier one stay."""
    place.directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(bootstrap(place.host, port, place.clusters, place.routes), indent=1)
    place.bootstrap.write_text(text)
    if not place.clusters.exists():
        watched.write(place.clusters, Response(1, []))
    if not place.routes.exists():
        empty = route_files.to_resource(place.host, place.model_name, place.timeout_s, None, (), 1)
        watched.write(place.routes, Response(1, [empty]))


class EnvoyGateway:
    """Splits one host's requests.

    Args:
        port: where Envoy listens, on 127.0.0.1.
        address: port of a revision's server, or None if there is none.
    """

    def __init__(self, place: EnvoyPlace, port: int, address: Callable[[str], int | None]) -> None:
        self._place = place
        self._port = port
        self._address = address
        self._admin = Admin(place.admin_address)

    def split(self, host: str) -> Split | None:
        if host != self._place.host:
            return None
        for config in self._admin.config("dynamic_route_configs"):
            held = config.get("route_config", {})
            if held.get("name") == host:
                return route_files.from_resource(host, held)
        return None

    def apply(self, host: str, split: Split) -> None:
        self._judge(host, split)
        with self._alone():
            self._wait_until_up()
            before = [cluster_files.from_resource(r) for r in watched.read(self._place.clusters).resources]
            known = self._with(split, before)
            self._write_clusters(known)
            self._write_routes(split, cluster_files.oldest_first(known))
            self._write_clusters([c for c in known if self._address(c.revision) is not None])

    def readdress(self) -> None:
        """Lead each cluster to where its revision's server now listens; the split stays."""
        with self._alone():
            held = [cluster_files.from_resource(r) for r in watched.read(self._place.clusters).resources]
            moved = [replace(c, port=self._address(c.revision) or c.port) for c in held]
            if moved != held:
                self._wait_until_up()
                self._write_clusters(moved)

    def sent(self, host: str) -> Mapping[str, Sent]:
        if host != self._place.host:
            return {}
        started = self._admin.started()
        # in this order: what is no longer on its way has been counted
        waiting = self._admin.counters(r"^cluster\..*\.upstream_rq_(active|pending_active)$")
        counted = self._admin.counters(r"^cluster\..*\.upstream_rq_(completed|2xx)$")
        held = [cluster_files.from_resource(r) for r in watched.read(self._place.clusters).resources]

        def count(revision: str, purpose: Purpose) -> tuple[int, int]:
            prefix = f"cluster.{cluster_name(revision, purpose)}.upstream_rq"
            done = int(counted.get(f"{prefix}_completed", 0))
            return done, done - int(counted.get(f"{prefix}_2xx", 0))

        def pending(revision: str) -> int:
            names = {f"cluster.{cluster_name(revision, purpose)}." for purpose in Purpose}
            return sum(int(value) for name, value in waiting.items() if name.startswith(tuple(names)))

        answers = {}
        for revision in cluster_files.oldest_first(held):
            added = min(c.added for c in held if c.revision == revision)
            answers[revision] = Sent(
                f"{started}-{added}",
                *count(revision, Purpose.ANSWER),
                *count(revision, Purpose.MIRROR),
                pending(revision),
            )
        return answers

    def drain(self, within_s: float) -> None:
        """Take no new connections and wait until no request is in flight, or `within_s` have passed."""
        self._admin.drain()
        active = f"http.{STAT_PREFIX}.downstream_rq_active"
        deadline = time.monotonic() + within_s
        while int(self._admin.counters(f"^{active}$").get(active, 0)) and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _judge(self, host: str, split: Split) -> None:
        if host != self._place.host:
            raise RouteRefused(f"this gateway serves host '{self._place.host}', not '{host}'")
        if sum(split.weights.values()) != 100 or min(split.weights.values()) < 0:
            raise RouteRefused(f"weights must be ≥ 0 and sum to 100, not {dict(split.weights)}")
        if not 0 <= split.mirror_percent <= 100 or (split.mirror is None and split.mirror_percent):
            raise RouteRefused(f"mirror {split.mirror} cannot get {split.mirror_percent} % of the requests")
        for revision, _ in _used(split):
            if self._address(revision) is None:
                raise RouteRefused(f"revision '{revision}' has no server")

    def _with(self, split: Split, before: list[Cluster]) -> list[Cluster]:
        """`before`, readdressed, and the clusters that `split` needs besides, older first."""
        known = [replace(c, port=self._address(c.revision) or c.port) for c in before]
        names = {c.name for c in known}
        added = watched.read(self._place.clusters).version + 1
        fresh = [
            Cluster(revision, purpose, self._address(revision) or 0, added)
            for revision, purpose in _used(split)
            if cluster_name(revision, purpose) not in names
        ]
        return known + fresh

    def _write_clusters(self, wished: list[Cluster]) -> None:
        held = watched.read(self._place.clusters)
        fresh = [cluster_files.to_resource(c) for c in wished]
        version = held.version + (fresh != held.resources)
        self._put(self._place.clusters, "cluster_manager.cds", held, Response(version, fresh))

    def _write_routes(self, split: Split, order: list[str]) -> None:
        place = self._place
        held = watched.read(place.routes)

        def at(version: int) -> Response:
            routes = route_files.to_resource(
                place.host, place.model_name, place.timeout_s, split, order, version
            )
            return Response(version, [routes])

        fresh = held if at(held.version) == held else at(held.version + 1)
        self._put(place.routes, f"http.{STAT_PREFIX}.rds.{place.host}", held, fresh)
        self._wait("the routes to be in effect", lambda: routed_version(self._port) == fresh.version)

    def _put(self, path: Path, stat: str, held: Response, fresh: Response) -> None:
        """Write `fresh` and wait until Envoy has taken it; what it refuses is put back."""
        pattern = f"^{stat}\\.(version_text|update_rejected)$"
        refused = self._admin.counters(pattern).get(f"{stat}.update_rejected")
        if fresh != held:
            watched.write(path, fresh)

        def taken() -> bool:
            seen = self._admin.counters(pattern)
            if seen.get(f"{stat}.update_rejected") != refused:
                watched.write(path, held)
                raise RouteRefused(f"Envoy refused {path.name}; `trimtab logs envoy` says why")
            return seen.get(f"{stat}.version_text") == str(fresh.version)

        self._wait(f"{path.name} version {fresh.version} to be taken", taken)

    def _wait_until_up(self) -> None:
        """Envoy may be starting again just now."""
        self._wait("an answer", lambda: routed_version(self._port) is not None)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        """Until it is done; one that does not answer now may do so in a moment."""
        deadline, why = time.monotonic() + SEEN_WITHIN_S, ""
        while True:
            try:
                if done():
                    return
            except SurroundingsFailed as error:
                why = f": {error.message}"
            if time.monotonic() > deadline:
                raise SurroundingsFailed(
                    f"waited {SEEN_WITHIN_S:g} s in vain for {what} of the gateway (Envoy){why}",
                    remedy="see `trimtab status` and `trimtab logs envoy`",
                )
            time.sleep(POLL_S)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._place.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _used(split: Split) -> list[tuple[str, Purpose]]:
    """What the split's routes name, each once, in the order of its weights, the mirror last."""
    used = [(revision, Purpose.ANSWER) for revision, weight in split.weights.items() if weight]
    for alone in (split.chosen, split.preview):
        if alone and (alone, Purpose.ANSWER) not in used:
            used.append((alone, Purpose.ANSWER))
    if split.mirror and split.mirror_percent:
        used.append((split.mirror, Purpose.MIRROR))
    return used
