"""The flights episode lived again and again, each time with other deaths: what of it did not hold."""

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cluster.control_plane.faults.engines import Fate
from tests.cluster.control_plane.faults.flights import Recording
from tests.cluster.control_plane.faults.machine import Machine
from tests.cluster.control_plane.faults.retraining import DAYS, Retraining
from tests.cluster.control_plane.faults.settings import PLAYED
from tests.cluster.control_plane.faults.telling import retraining
from tests.cluster.kube.control_plane import ControlPlane
from trimtab.adapters.claims import read_claim

AT_ONCE: Final = 6
LIVES: Final = 10
"""Of an operator, at most."""
WRITES_A_LIFE: Final = 12
TURNS: Final = 200


@dataclass
class Lived:
    """What came of some seeds.

    Attributes:
        broken: by seed, what did not hold.
        harm: how often what was done.
    """

    broken: dict[int, Sequence[str]] = field(default_factory=dict)
    harm: Counter[str] = field(default_factory=Counter)


def lived(plane: ControlPlane, machine: Machine, folder: Path, seeds: Sequence[int]) -> Lived:
    """Each seed in a namespace of its own, and in the settings by turns; a few at a time."""
    recording, whole = Recording.load(), Lived()

    def live(seed: int) -> tuple[list[str], Counter[str]]:
        dice, fate = random.Random(seed), Fate(random.Random(f"runs of {seed}"))
        engine, setting = dice.choice(("Job", "KFP")), PLAYED[seed % len(PLAYED)]
        with retraining(plane, machine, folder, recording, engine, fate, setting) as stage:
            said = once(stage, dice, fate)
            runs = len(stage.engine.all())
            harm = Counter(
                {
                    engine: 1,
                    "operators killed": stage.restarts - 1,
                    "runs killed": fate.killed,
                    "runs killed for good": stage.outcomes.count("Failed"),
                    "runs": runs,
                    "surplus runs": runs - len(stage.attempts),
                }
            )
        return said, harm

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for seed, (said, harm) in zip(seeds, pool.map(live, seeds), strict=True):
            whole.harm += harm
            if said:
                whole.broken[seed] = said
    return whole


def once(stage: Retraining, dice: random.Random, fate: Fate) -> list[str]:
    """The episode, and what of it did not hold."""

    def next_death() -> None:
        if stage.restarts < LIVES:
            stage.writes.at = len(stage.writes.done) + dice.randrange(WRITES_A_LIFE)
            stage.writes.after = dice.random() < 0.5

    stage.killed = next_death
    next_death()
    try:
        stage.episode(DAYS)
    except AssertionError as error:
        return [str(error)]
    for _ in range(TURNS):  # runs beside the effective one come to their own end
        if "going" not in stage.engine.all().values():
            break
        stage.engine.play()
    return [*of_the_episode(stage), *of_each_key(stage), *of_the_runs(stage)]


def of_the_episode(stage: Retraining) -> list[str]:
    """One alarm, at the recorded hour and in the recorded words; one candidate, which closes it."""
    said = []
    episodes = [
        {**{key: one[key] for key in stage.recording.alarm}, "closed": bool(one.get("closedAt"))}
        for one in stage.monitor["episodes"]
    ]
    if episodes != [{**stage.recording.alarm, "closed": True}]:
        said.append(f"episodes {episodes}")
    *before, last = stage.outcomes
    if last != "Promoted" or not set(before) <= {"Refused", "Failed"}:
        said.append(f"outcomes {stage.outcomes}")
    if len(stage.moves) != 1:
        said.append(f"the alias was moved by {stage.moves}")
    return said


def of_each_key(stage: Retraining) -> list[str]:
    """What was registered for a key was registered by its claim's holder, once, and is what the policy remembers."""
    said = []
    for attempt in stage.attempts:
        claim = read_claim(stage.machine.cluster, stage.namespace, attempt["key"])
        made = [(run, version) for run, version in stage.effects if stage.engine.key(run) == attempt["key"]]
        if attempt["outcome"] == "Failed":
            if len(made) > 1 or any(claim is None or run != claim.run for run, _ in made):
                said.append(f"failed, yet registered {made}; {claim}")
        elif claim is None or made != [(claim.run, attempt["version"])]:
            said.append(f"{attempt['outcome']} by {claim}, registered {made}")
        elif claim.effect is None and "it died" not in attempt["because"]:
            said.append(f"{attempt['outcome']} without an effect: {attempt['because']}")
        elif claim.effect is not None and claim.effect.version != attempt["version"]:
            said.append(f"the claim says version {claim.effect.version}, the policy {attempt['version']}")
    return said


def of_the_runs(stage: Retraining) -> list[str]:
    """Every other run has ended, and registered nothing."""
    registrants = {run for run, _ in stage.effects}
    return [
        f"run {run} {how}"
        for run, how in stage.engine.all().items()
        if how == "going" or (how != "failed" and (how == "registered") != (run in registrants))
    ]
