"""A loop over a world, which may be killed and made again."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np

from tests.unit.control.killing import Killed
from tests.unit.control.world import World
from trimtab.api.monitor import Monitor
from trimtab.api.retrain import Retrain
from trimtab.api.rollout import Rollout
from trimtab.control import Loop, ReconcileMonitor, ReconcileRetrain, ReconcileRollout, Target, Ticked
from trimtab.drift import learn_profile
from trimtab.ports.evidence import BlockCut

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

PROFILE = learn_profile(
    {"x": np.arange(1000.0)}, reference_skills=[-0.05 + 0.002 * (-1) ** k for k in range(28)]
).to_bytes()

SPEC = Rollout.model_validate(
    {
        "steps": [
            {
                "name": "shadow",
                "shadow": {},
                "until": {"minDuration": "7d", "maxDuration": "28d", "minBlocks": 7},
            },
            {"name": "first", "canary": {"percent": 20}, "until": {"minDuration": "2d", "maxDuration": "5d"}},
            {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "3d", "maxDuration": "10d"}},
        ],
        "onInconclusive": "Rollback",
        "checks": [
            {
                "name": "loss",
                "metric": "log_loss",
                "noWorseThanStableBy": 0.02,
                "alpha": {"fail": 0.05, "pass": 0.05},
                "block": "1d",
                "steps": ["shadow"],
            },
            {
                "name": "errors",
                "metric": "error_rate",
                "noWorseThanStableBy": 0.02,
                "alpha": {"fail": 0.01, "pass": 0.05},
                "block": "request",
            },
            {
                "name": "latency",
                "metric": "latency_p95",
                "noWorseThanStableBy": "50%",
                "alpha": {"fail": 0.01},
                "block": "request",
                "require": "NotFailed",
            },
            {"name": "sane", "metric": "disagreement", "atMost": 0.5, "require": "NotFailed"},
        ],
    }
)


class Stage:
    """A loop over a world, which may be killed and made again."""

    def __init__(self, spec: Rollout = SPEC, retrain: Retrain | None = None, **world: object) -> None:
        self.world = World(**{"profile_bytes": PROFILE, **world})  # type: ignore[arg-type]
        self.spec = spec
        self.retrain_spec = retrain or Retrain()
        self.target = Target(
            "flights", BlockCut(), mature_after=DAY, tick=timedelta(hours=6), poll_every=timedelta(minutes=1)
        )
        self.loop = self.make()

    def make(self) -> Loop:
        """A process starts."""
        world = self.world
        ports = {
            "clock": world.clock,
            "state": Guarded(world),
            "gateway": world.gateway,
            "servers": world.servers,
        }
        rollout = ReconcileRollout(
            self.spec,
            self.target,
            **ports,  # type: ignore[arg-type]
            evidence=world.evidence,  # type: ignore[arg-type]
            registry=world.registry,
            profiles=world,
            mirrors=world.mirrors,
            metrics=world.metrics,
        )
        monitor = ReconcileMonitor(
            Monitor(),
            self.target,
            state=ports["state"],
            evidence=world.evidence,
            gateway=world.gateway,
            profiles=world,  # type: ignore[arg-type]
        )
        retrain = ReconcileRetrain(
            self.retrain_spec,
            self.target,
            state=ports["state"],  # type: ignore[arg-type]
            evidence=world.evidence,  # type: ignore[arg-type]
            runs=world.runs,
            candidacy=rollout.candidacy,
            surplus=world.surplus,
            remembered=world.remembered,
            posts=world.posts,
        )
        return Loop(self.target, rollout, monitor, retrain, **ports)  # type: ignore[arg-type]

    def look(self) -> Ticked:
        """One look; a killed process is started again and looks anew."""
        try:
            return self.loop.tick()
        except Killed:
            self.loop = self.make()
            return self.look()

    def tick(self) -> Ticked:
        """Looks with time standing still, while a server is on its way."""
        for _ in range(6):
            ticked = self.look()
            if ticked.busy != "server":
                break
        return ticked

    def serve_first(self, digest: str = "first", **behaviour: object) -> str:
        """The first revision is stable."""
        revision = self.world.candidate(digest, **behaviour)
        self.tick()
        return revision

    def until(self, done: Callable[["Stage"], bool], days: float = 60, step: timedelta = 3 * HOUR) -> bool:
        """Let time pass, looking every `step`, until `done`; False if it never is."""
        end = self.world.clock.now() + timedelta(days=days)
        while not done(self):
            if self.world.clock.now() >= end:
                return False
            self.world.pass_time(step)
            self.tick()
        return True

    @property
    def status(self):
        return self.loop.rollout.status

    @property
    def settled(self) -> bool:
        return not self.status.in_flight


class Guarded:
    """The state, with its writes counted."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> object:
        return getattr(self._world.state, name)

    def write(self, *args: object, **how: object) -> object:
        return self._world.kill.guard(lambda: self._world.state.write(*args, **how))  # type: ignore[arg-type]
