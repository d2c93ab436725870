"""The year of the flights example as the loop's rules decide it, with no servers: a dry run of `trimtab demo`.

    python benchmarks/flights_story.py

One step is one local day. Differences from the demo: a run takes no time, the shadow starts with the day, and the
canary's steps last as long as clean requests need. Everything that decides is the library's.
"""

import time
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from flights_world import World, day_number, day_text

from trimtab.quality.gates import Gate, judge
from trimtab.quality.metrics import METRICS
from trimtab.sequential import Bounds, Verdict
from trimtab.sequential import judge as verdict_of
from trimtab.sequential.against_reference import bounds_above
from trimtab.sequential.t_mixture import Blocks, bounds

FIRST, SERVED, END = (day_number(day) for day in ("2013-01-01", "2013-04-01", "2014-01-01"))
CANARY_DAYS = 7
DECEMBER = ("2013-09-01", "2013-12-01")


@dataclass(frozen=True)
class Shadow:
    verdict: Verdict
    decided: int
    blocks: Blocks
    bounds: Bounds

    def __str__(self) -> str:
        return (
            f"{self.verdict} on {day_text(self.decided)} after {self.blocks.n} days: mean {self.blocks.mean:+.4f}, "
            f"bounds [{self.bounds.lower:+.4f}, {self.bounds.upper:+.4f}]"
        )


def shadow(world: World, candidate: np.ndarray, stable: np.ndarray, start: int, attempt: int = 0) -> Shadow:
    """The shadow step, from the start of local day `start`; the j-th candidate of an episode gets alpha/2^j."""
    check, step = world.project.rollout.checks[0], world.project.rollout.steps[0]
    most, least = step.until.max_duration // timedelta(days=1), step.until.min_duration // timedelta(days=1)
    margin = float(check.no_worse_than_stable_by.absolute)
    blocks, known, now = Blocks(), Bounds(), start
    for total, rows in world.differences(candidate, stable, start, min(start + most - 1, END)):
        blocks, now = blocks.add(total, rows), start + blocks.n + world.mature
        known = known.tighten(bounds(blocks, float(check.alpha.fail), float(check.alpha.pass_) / 2**attempt))
        verdict = verdict_of(known, margin)
        if now >= start + least and verdict is not Verdict.INCONCLUSIVE:
            return Shadow(verdict, now, blocks, known)
    return Shadow(Verdict.INCONCLUSIVE, start + most, blocks, known)


def tested_to(world: World, now: int) -> int:
    """The day at which the model that the gates judge stops learning: before test, validation and their gaps."""
    split, gap = world.project.training.split, world.mature - 1
    test, validation = (part // timedelta(days=1) for part in (split.test, split.validation))
    return now - world.mature + 1 - test - gap - validation - gap


def gates(world: World, now: int, stable: np.ndarray, learned_to: int) -> list[str]:
    """What the gates say against the model of a run at the start of day `now`; empty if they let it through."""
    end, test = now - world.mature + 1, world.project.training.split.test // timedelta(days=1)
    candidate = world.model(FIRST, tested_to(world, now))
    refused = []
    for spec in world.project.evaluation.gates:
        against = spec.no_worse_than_stable_by
        first = max(end - test, learned_to) if against else end - test
        rows = world.known & (world.days >= first) & (world.days < end)
        gate = (
            Gate(spec.metric, "no_worse_than_stable_by", float(against.absolute))
            if against
            else Gate(spec.metric, "at_least", float(spec.at_least))
        )
        held = judge(
            gate, world.labels[rows], candidate[rows], stable[rows] if against else None, world.days[rows]
        )
        if not held.passed:
            refused.append(held.because)
    return refused


def story(world: World) -> list[tuple[int, int, str]]:
    """Prints what happens; gives the revisions as (served from, learned to, name)."""
    monitor, rearm = world.project.monitor.performance, world.project.retrain.guards.rearm
    alpha, share = float(monitor.alpha), float(rearm.new_labelled_share)
    learned_to = SERVED - world.mature + 1
    stable, reference = world.model(FIRST, learned_to), world.reference(FIRST, SERVED)
    revisions = [(SERVED, learned_to, "first")]
    seen, episode, last_run, attempt, served, taught = Blocks(), False, None, 0, SERVED, 0
    now = SERVED
    while now < END - 1:
        now += 1
        for total, rows in world.skills(stable, max(now - world.mature, served), now - world.mature + 1):
            seen = seen.add(total, rows)
        drop = bounds_above(seen, reference.mean, reference.standard_error, alpha, alpha)
        if not episode and drop.lower > float(monitor.max_drop):
            episode, last_run, attempt = True, None, 0
            print(
                f"{day_text(now)}  alarm: skill {seen.mean:+.4f} over {seen.n} days, reference "
                f"{reference.mean:+.4f} (se {reference.standard_error:.4f}), drop > {drop.lower:.4f}"
            )
        if not episode or not due(world, now, last_run, taught, share, rearm.min_interval):
            continue
        last_run, taught = now, int((world.known & (world.days < tested_to(world, now))).sum())
        if refused := gates(world, now, stable, learned_to):
            print(f"{day_text(now)}  run: refused by a gate: {'; '.join(refused)}")
            continue
        candidate = world.model(FIRST, now - world.mature + 1)
        found = shadow(world, candidate, stable, now, attempt)
        attempt, taught = attempt + 1, int((world.known & (world.days < now - world.mature + 1)).sum())
        print(f"{day_text(now)}  run: candidate; shadow {found}")
        if found.verdict is Verdict.PASS:
            learned_to, stable = now - world.mature + 1, candidate
            reference = world.reference(FIRST, now)
            served = found.decided + CANARY_DAYS
            seen, episode = Blocks(), False
            revisions.append((served, learned_to, f"until {day_text(now)}"))
            print(f"{day_text(served)}  promoted; new reference {reference.mean:+.4f}")
            now = served
        else:
            now = found.decided
    forced = world.trained_on(*DECEMBER)
    print(f"{day_text(day_number(DECEMBER[1]))}  forced candidate of September to November; shadow "
          f"{shadow(world, forced, stable, day_number(DECEMBER[1]))}")  # fmt: skip
    return revisions


def due(world: World, now: int, last_run: int | None, taught: int, share: float, interval: timedelta) -> bool:
    """Whether an open episode may ask for a run: the first, or enough mature labels since the last one's data end.

    Enough is a share of the rows that the last run learned from; a refused one had not been refitted.
    """
    if last_run is None:
        return True
    end, before = now - world.mature + 1, last_run - world.mature + 1
    new = int((world.known & (world.days >= before) & (world.days < end)).sum())
    return new >= share * taught and now - last_run >= interval // timedelta(days=1)


def monthly(world: World, revisions: list[tuple[int, int, str]]) -> None:
    """ROC AUC and log loss a month of each revision, beside climatology's."""
    months = world.times.astype("datetime64[M]")
    print("\n| month | climatology | " + " | ".join(name for _, _, name in revisions) + " |")
    print("|---|---|" + "---|" * len(revisions))
    for month in np.arange("2013-04", "2014-01", dtype="datetime64[M]"):
        rows = world.known & (months == month)
        labels, cells = world.labels[rows], []
        cells.append(f"{METRICS['log_loss'].compute(labels, world.climatology[rows]):.3f}")
        for _, learned_to, _ in revisions:
            answers = world.model(FIRST, learned_to)[rows]
            values = [METRICS[name].compute(labels, answers) for name in ("roc_auc", "log_loss")]
            cells.append(f"{values[0]:.3f} / {values[1]:.3f}" if np.isfinite(answers).all() else "")
        print(f"| {month} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    began = time.monotonic()
    world = World.read()
    print(f"read {len(world.times)} departures in {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    world.model(FIRST, SERVED - world.mature + 1)
    print(f"one fit and {len(world.times)} answers: {time.monotonic() - began:.1f} s")
    monthly(world, story(world))
