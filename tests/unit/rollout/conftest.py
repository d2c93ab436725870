"""A rollout in the middle of things, made to order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase, RevisionRef, RolloutStatus, StepStatus
from trimtab.rollout import Newest, Observed, Ordered, Routed, ServerSeen, decide
from trimtab.rollout.steps import step_hash

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
SPEC = Rollout.model_validate(
    {
        "steps": [
            {"name": "shadow", "shadow": {}, "until": {"minDuration": "7d", "maxDuration": "28d"}},
            {"name": "first", "canary": {"percent": 5}, "until": {"minDuration": "1d", "minSamples": 100}},
            {"name": "sign-off", "approval": {}},
            {"name": "half", "canary": {"percent": 50}, "until": {"maxDuration": "2d"}},
            {"name": "rest", "hold": {}, "until": {"minDuration": "6h"}},
        ],
        "checks": [
            {"name": "loss", "metric": "log_loss", "noWorseThanStableBy": 0.02, "require": "NotFailed"},
            {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.02},
        ],
    }
)


def ref(revision: str, version: str = "1") -> RevisionRef:
    return RevisionRef(revision=revision, version=version, uri=f"/m/{revision}", digest=revision)


STABLE, CANDIDATE, PREVIOUS = ref("stable"), ref("cand", "2"), ref("prev", "0")
READY = ServerSeen(True, False, 100.0, 0)


def at(name: str, elapsed_s: float = 0.0, spec: Rollout = SPEC) -> StepStatus:
    index = [step.name for step in spec.steps].index(name)
    trail = tuple(step_hash(step) for step in spec.steps[: index + 1])
    return StepStatus(name=name, index=index, trail=trail, started_at=NOW, elapsed_s=elapsed_s)


class Scene:
    """An observed world, changed a little for each test, and what is decided on it."""

    NOW, SPEC, STABLE, CANDIDATE, PREVIOUS, READY = NOW, SPEC, STABLE, CANDIDATE, PREVIOUS, READY
    ref, at = staticmethod(ref), staticmethod(at)

    def __init__(self, seen: Observed, spec: Rollout = SPEC) -> None:
        self.seen, self.spec = seen, spec

    @classmethod
    def idle(cls) -> "Scene":
        return cls(
            Observed(
                RolloutStatus(stable=STABLE),
                newest=Newest(STABLE),
                routed=Routed({"stable": 100}),
                servers={"stable": READY},
            )
        )

    @classmethod
    def shadow(cls, elapsed_s: float = 0.0) -> "Scene":
        scene = cls.idle().status(
            phase=Phase.SHADOW, candidate=CANDIDATE, step=at("shadow", elapsed_s), entered=1
        )
        return scene.world(
            routed=Routed({"stable": 100}, "cand", 100),
            servers={"stable": READY, "cand": READY},
            newest=Newest(CANDIDATE),
        )

    @classmethod
    def canary(cls, name: str = "first", elapsed_s: float = 0.0, share: int = 5) -> "Scene":
        phase = Phase.AWAITING_APPROVAL if name == "sign-off" else Phase.CANARY
        scene = cls.shadow().status(phase=phase, step=at(name, elapsed_s))
        return scene.world(routed=Routed({"stable": 100 - share, "cand": share}))

    def status(self, **update: object) -> "Scene":
        return Scene(replace(self.seen, status=self.seen.status.model_copy(update=update)), self.spec)

    def world(self, **update: object) -> "Scene":
        return Scene(replace(self.seen, **update), self.spec)  # type: ignore[arg-type]

    def under(self, **update: object) -> "Scene":
        """Under another spec."""
        return Scene(self.seen, self.spec.model_copy(update=update))

    def ordered(self, verb: str, revision: str, step: str = "") -> "Scene":
        return self.world(order=Ordered("id", verb, revision, step, "Ann"))

    def server(self, revision: str, **update: object) -> "Scene":
        return self.world(servers={**self.seen.servers, revision: replace(READY, **update)})  # type: ignore[arg-type]

    def decide(self):
        return decide(self.spec, self.seen, NOW)


@pytest.fixture(scope="session")
def scene() -> type[Scene]:
    return Scene
