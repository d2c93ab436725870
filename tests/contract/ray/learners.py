"""Processes of learner.py, as tests start them."""

from dataclasses import dataclass
from pathlib import Path

from tests.contract.ray.started import Started

LEARNER = Path(__file__).with_name("learner.py")


@dataclass
class Learner(Started):
    """One process of learner.py."""

    @property
    def digest(self) -> str:
        return next((line for line in self.lines if line.startswith("learned ")), "nothing")

    def kill_a_worker(self) -> None:
        named = self.each(lambda one: (" ".join(one.cmdline()), one))
        next(one for name, one in named if "RayTrainWorker" in name).kill()


@dataclass
class Begin:
    """Starts learners in one folder."""

    root: Path
    started: list[Learner]

    def __call__(
        self, name: str, workers: int, line: str = "pass", where: str = "here", silence_s: float = 600
    ) -> Learner:
        errors = self.root / f"{name}-{len(self.started)}.err"
        given = (str(self.root), name, str(workers), line, where, "auto", str(silence_s))
        self.started.append(Learner.of(LEARNER, *given, errors=errors))
        return self.started[-1]

    def checkpoints(self, name: str) -> list[Path]:
        """What is kept of a training that did not end."""
        return sorted((self.root / f"checkpoints-{name}").rglob("*.checkpoint"))
