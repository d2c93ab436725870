"""The closed loop of one model: its rollout, its monitor and its retraining policy, reconciled in that order."""

from dataclasses import dataclass
from datetime import datetime

from trimtab.api.errors import SurroundingsFailed
from trimtab.control.monitor import ReconcileMonitor
from trimtab.control.retrain import ReconcileRetrain
from trimtab.control.rollout import Looked, ReconcileRollout
from trimtab.control.target import Target
from trimtab.ports.clock import Clock
from trimtab.ports.gateway import Gateway
from trimtab.ports.servers import Servers
from trimtab.ports.state import Conflict, State

AGAIN = 4
"""Rounds in one look: a run that ended makes a candidate, which the rollout takes at once."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one look at the world came to.

    Attributes:
        busy: what the loop waits for that is not time: "server", "run", or "".
        because: what the rollout waits for, or rests on.
        trouble: what could not be reached; "" if nothing. The next look tries again.
        wake: when to look again at the latest, if nothing else changes.
    """

    busy: str
    because: str
    trouble: str
    wake: datetime


class Loop:
    """Look whenever something may have changed: a block closed, a server came, a person ordered.

    A look in which nothing changed, before `wake`, costs two reads and no decision. One after a clock was set back
    looks anew.
    """

    def __init__(
        self,
        target: Target,
        rollout: ReconcileRollout,
        monitor: ReconcileMonitor,
        retrain: ReconcileRetrain,
        *,
        clock: Clock,
        state: State,
        gateway: Gateway,
        servers: Servers,
    ) -> None:
        self.rollout, self.monitor, self.retrain = rollout, monitor, retrain
        self._target, self._clock, self._state = target, clock, state
        self._gateway, self._servers = gateway, servers
        self._last: tuple[object, Ticked, datetime] | None = None

    def tick(self) -> Ticked:
        """One look; never raises for a state of the world."""
        now = self._clock.now()
        try:
            world = self._world()
        except SurroundingsFailed as error:
            self._last = None
            return Ticked("server", "the surroundings cannot be seen", error.message, now)
        if (
            self._last is not None
            and self._last[0] == world
            and not self._last[1].busy
            and self._last[2] <= now < self._last[1].wake
        ):
            return self._last[1]
        ticked = self._look(now)
        try:
            self._last = None if ticked.trouble else (self._world(), ticked, now)
        except SurroundingsFailed:
            self._last = None
        return ticked

    def next_wake(self) -> datetime:
        """When time alone can change the answer next; now, while something is on its way."""
        return self._last[1].wake if self._last is not None else self._clock.now()

    def _look(self, now: datetime) -> Ticked:
        looked, trouble = Looked("", True), ""
        for _ in range(AGAIN):
            looked = self.rollout.tick()
            status = self.rollout.status
            try:
                trouble = self.monitor.tick(status.stable, now)
            except (SurroundingsFailed, Conflict) as error:
                trouble = str(error)
            if not self.retrain.tick(status, self.monitor.status, now):
                break
        busy = "server" if looked.busy else ("run" if self.retrain.busy else "")
        trouble = looked.trouble or trouble or self.retrain.trouble
        if trouble:
            self.rollout.introduce()
        wakes = (self.rollout.wake(now), self.monitor.wake(now), self.retrain.wake(now))
        return Ticked(busy, looked.because, trouble, now if busy else min(wakes))

    def _world(self) -> object:
        """What would change the answer, in the cheapest form."""
        split = self._gateway.split(self._target.host)
        servers = {
            name: (s.state, s.restarts, s.replicas, s.least) for name, s in self._servers.observed().items()
        }
        return self._state.seen(), split, servers
