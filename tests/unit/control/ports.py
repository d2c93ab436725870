"""Registry, gateway, servers and runs of a world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from trimtab.ports.gateway import Sent, Split
from trimtab.ports.registry import ModelVersion
from trimtab.ports.runs import Run, RunState
from trimtab.ports.servers import Revision, Server, ServerState, Warmed

if TYPE_CHECKING:
    from tests.unit.control.world import World


@dataclass
class Registry:
    world: "World"

    def register(self, name: str, uri: str, digest: str, tags: Mapping[str, str]) -> ModelVersion:
        held = next((v for v in self.world.versions if v.digest == digest), None)
        if held is None:
            held = ModelVersion(name, str(len(self.world.versions) + 1), uri, digest, dict(tags))
            self.world.versions.append(held)
        return held

    def version(self, name: str, version: str) -> ModelVersion | None:
        self.world.reachable("registry")
        return next((v for v in self.world.versions if v.version == version), None)

    def versions(self, name: str) -> Sequence[ModelVersion]:
        self.world.reachable("registry")
        return list(self.world.versions)

    def alias(self, name: str, alias: str) -> ModelVersion | None:
        self.world.reachable("registry")
        return self.version(name, self.world.aliases.get(alias, ""))

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.world.reachable("registry")
        self.world.kill.guard(lambda: self.world.aliases.update({alias: version}))

    def tag(self, name: str, version: str, key: str, value: str) -> None:
        self.world.reachable("registry")
        self.world.kill.guard(lambda: self._tags(version).update({key: value}))

    def untag(self, name: str, version: str, key: str) -> None:
        self.world.reachable("registry")
        self.world.kill.guard(lambda: self._tags(version).pop(key, None))

    def _tags(self, version: str) -> dict[str, str]:
        return next(v.tags for v in self.world.versions if v.version == version)  # type: ignore[return-value]


@dataclass
class Gateway:
    world: "World"

    def split(self, host: str) -> Split | None:
        self.world.reachable("gateway")
        split = self.world.split_now
        if split is None:
            return None
        return replace(split, in_effect=not self.world.unsettled, empty=self.world.empty)

    def apply(self, host: str, split: Split) -> None:
        self.world.reachable("gateway")
        self.world.kill.guard(lambda: self._apply(split))

    def _apply(self, split: Split) -> None:
        if sum(split.weights.values()) != 100:
            self.world.broken_promises.append(f"weights {split.weights}")
        was = self.world.split_now
        for revision, weight in split.weights.items():
            server = self.world.servers_up.get(revision)
            ready = server is not None and server.state is ServerState.READY
            grew = was is None or weight > was.weights.get(revision, 0)
            if weight < 100 and grew and not ready:
                self.world.broken_promises.append(f"{weight} on {revision}, which is not ready")
            if server is None:
                self.world.broken_promises.append(f"{weight} on {revision}, which has no server")
        if split.mirror and split.mirror not in self.world.servers_up:
            self.world.broken_promises.append("a mirror without a server")
        for revision in {split.chosen, split.preview} - {None, was and was.chosen, was and was.preview}:
            server = self.world.servers_up.get(revision)
            if server is None or server.state is not ServerState.READY:
                self.world.broken_promises.append(f"callers of {revision}, which is not ready")
        if self.world.clustered and was is not None:
            self._has_capacity(was, split)
        self.world.unsettled = self.world.clustered
        self.world.split_now = split
        self.world.splits.append((self.world.clock.now(), split))

    def _has_capacity(self, was: Split, split: Split) -> None:
        """Whoever gets more has the replicas for it."""
        stable = max(was.weights, key=lambda revision: was.weights[revision])
        up = self.world.servers_up
        before, after = (
            {
                **one.weights,
                **({one.mirror: one.mirror_percent} if one.mirror else {}),
                **({one.chosen: 100} if one.chosen and not one.audience.hash else {}),
            }
            for one in (was, split)
        )
        for revision, share in after.items():
            alone = revision in was.weights and split.weights == {revision: 100}
            if share <= before.get(revision, 0) or revision == stable or alone or stable not in up:
                continue
            have, needs = up[revision].replicas, -(-up[stable].replicas * share // 100)
            if have < needs:
                self.world.broken_promises.append(f"{share} on {revision}: {have} of {needs} replicas")

    def sent(self, host: str) -> Mapping[str, Sent]:
        self.world.reachable("gateway")
        return dict(self.world.counts)


@dataclass
class Servers:
    world: "World"

    def observed(self) -> Mapping[str, Server]:
        return dict(self.world.servers_up)

    def ensure(self, model_name: str, revision: Revision) -> None:
        def up() -> None:
            ready = self.world.models[revision.id].ready
            state = ServerState.READY if ready else ServerState.STARTING
            least = 0 if self.world.clustered else None
            self.world.servers_up.setdefault(revision.id, Server(revision.id, state, 0.0, 0, least=least))

        self.world.kill.guard(up)

    def scale(self, revision: str, least: int) -> None:
        def scaled() -> None:
            self.world.servers_up[revision] = replace(self.world.servers_up[revision], least=least)

        self.world.kill.guard(scaled)

    def retire(self, revision: str) -> None:
        def stop() -> None:
            split = self.world.split_now
            named = (split.mirror, split.chosen, split.preview) if split else ()
            if split and (split.weights.get(revision) or revision in named):
                self.world.broken_promises.append(f"{revision} was stopped while it had traffic")
            self.world.servers_up.pop(revision, None)

        self.world.kill.guard(stop)

    def warm(self, revision: str, requests: int) -> Warmed:
        return Warmed(requests) if self.world.warm_answers else Warmed(0, "400: no online store")


@dataclass
class Runs:
    world: "World"

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        self.world.reachable("runs")

        def create() -> None:
            until = datetime.fromisoformat(parameters["until"])
            run = Run(f"run-{len(self.world.runs_made) + 1}", key, RunState.RUNNING, data_end=until)
            self.world.runs_made.setdefault(key, run)

        self.world.kill.guard(create)
        return self.world.runs_made[key]

    def find(self, key: str) -> Run | None:
        self.world.reachable("runs")
        run = self.world.runs_made.get(key)
        if run is not None and run.state is RunState.RUNNING and self.world.run_makes is not None:
            run = self.world.runs_made[key] = self.world.run_makes(self.world, key)
        return run
