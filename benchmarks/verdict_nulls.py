"""How often each test is wrong by chance, on three nulls, and how soon it is right: the tables of docs/verdicts.md.

    python benchmarks/verdict_nulls.py [runs]

Nulls: rows drawn anew one by one (iid); real requests with one model in both arms (A/A); real paired differences,
centred, their days resampled in runs of three, as they are and with signs flipped by day.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log

import numpy as np
from flights_story import END, FIRST, SERVED, shadow
from flights_world import World, day_number, day_text

from trimtab.quality.row_loss import log_losses, mistakes
from trimtab.sequential.against_reference import REFERENCE_ERRORS, bounds_above
from trimtab.sequential.betting import LEAST_CANDIDATE_REQUESTS, SHARES, STAKES
from trimtab.sequential.quantile import Durations, ratio_bounds
from trimtab.sequential.t_mixture import Blocks, bounds

ALPHA, MARGIN, BLOCKS = 0.05, 0.02, 26
RUN_DAYS = 3
FLIGHTS_A_REQUEST = 4
UNITS = ("row", "1h", "1d", "2d")


@dataclass(frozen=True)
class Day:
    """Row differences of one local day, and where its hours begin."""

    delta: np.ndarray
    hour_starts: np.ndarray

    def centred(self, mean: float, sign: float = 1.0) -> "Day":
        return Day(sign * (self.delta - mean), self.hour_starts)

    def blocks(self, unit: str) -> Blocks:
        """The day as one block, a block an hour, or (wrongly) a block a row."""
        n, total = float(len(self.delta)), float(self.delta.sum())
        if unit in ("1d", "2d"):
            return Blocks(1, n, total, n * n, total * total, total * n)
        if unit == "row":
            return Blocks(len(self.delta), n, total, n, float(np.sum(self.delta**2)), total)
        sums = np.add.reduceat(self.delta, self.hour_starts)
        rows = np.diff(np.append(self.hour_starts, len(self.delta))).astype(float)
        return Blocks(
            len(rows), n, total, float(np.sum(rows**2)), float(np.sum(sums**2)), float(np.sum(sums * rows))
        )


def joined(days: list[Blocks]) -> list[Blocks]:
    """Two days to a block; an odd last one is left out."""
    pairs = [(a.total + b.total, a.rows + b.rows) for a, b in zip(days[::2], days[1::2], strict=False)]
    return [Blocks().add(total, rows) for total, rows in pairs]


def days_of(world: World, candidate: np.ndarray, stable: np.ndarray, first: int, end: int) -> list[Day]:
    found = []
    for day in range(first, end):
        rows = world.known & (world.days == day)
        labels, hours = world.labels[rows], world.times[rows].astype("datetime64[h]")
        if rows.any():
            delta = log_losses(labels, candidate[rows]) - log_losses(labels, stable[rows])
            found.append(Day(delta, np.unique(hours, return_index=True)[1]))
    return found


def resampled(count: int, length: int, rng: np.random.Generator, run: int = RUN_DAYS) -> np.ndarray:
    """`count` places among `length` days, in runs of three."""
    starts = rng.integers(0, length - run + 1, -(-count // run))
    return (starts[:, None] + np.arange(run)).ravel()[:count]


def claims(days: Iterator[Blocks]) -> tuple[bool, bool]:
    """Whether a run ever claims "worse than 0", and ever "better than 0"."""
    seen, worse, better = Blocks(), False, False
    for block in days:
        seen += block
        found = bounds(seen, ALPHA, ALPHA)
        worse, better = worse or found.lower > 0, better or found.upper < 0
    return worse, better


def rates(one: Callable[[np.random.Generator], tuple[bool, ...]], runs: int, seed: int = 1) -> list[float]:
    rng = np.random.default_rng(seed)
    return np.mean([one(rng) for _ in range(runs)], axis=0).tolist()


def paired(world: World, pairs: dict[str, list[Day]], runs: int) -> None:
    print(
        "\nPaired log loss, 28 days, alpha 0.05 a side: share of runs that claim falsely (worse / better)\n"
    )
    print("| pair | null | by the row | by the hour | by the day | by two days |\n|---|---|---|---|---|---|")
    for name, days in pairs.items():
        mean = float(np.concatenate([day.delta for day in days]).mean())
        pool = np.concatenate([day.delta for day in days]) - mean
        size = round(len(pool) / len(days))
        made = {
            sign: {unit: [day.centred(mean, sign).blocks(unit) for day in days] for unit in UNITS}
            for sign in (1, -1)
        }

        def iid(rng: np.random.Generator, pool: np.ndarray = pool, size: int = size) -> tuple[bool, bool]:
            sums = rng.choice(pool, (BLOCKS, size)).sum(axis=1)
            return claims(Blocks(1, size, s, size**2, s * s, s * size) for s in sums.tolist())

        print(f"| {name} | iid rows | | | {shown(rates(iid, runs))} | |")
        for null, signed in (("days resampled", (1,)), ("and signs flipped", (-1, 1))):
            cells = []
            for unit in UNITS:

                def real(
                    rng: np.random.Generator, unit: str = unit, made: dict = made, signed: tuple = signed
                ) -> tuple[bool, bool]:
                    places = resampled(BLOCKS, len(made[1][unit]), rng)
                    signs = rng.choice(signed, BLOCKS)
                    drawn = [made[s][unit][k] for s, k in zip(signs.tolist(), places.tolist(), strict=True)]
                    return claims(iter(joined(drawn) if unit == "2d" else drawn))

                cells.append(shown(rates(real, runs)))
            print(f"| {name} | {null} | " + " | ".join(cells) + " |")


def power(pairs: dict[str, list[Day]], runs: int) -> None:
    print("\nThe loss check within 28 days, days resampled in runs of three: verdicts and the median day\n")
    print("| pair | mean (se) | Pass | Fail | Inconclusive | median day |\n|---|---|---|---|---|---|")
    for name, days in pairs.items():
        held = [day.blocks("1d") for day in days]
        whole = sum(held[1:], held[0])
        scores = np.array([block.total - whole.mean * block.rows for block in held])
        error = float(np.sqrt(np.sum(scores**2))) / whole.rows
        rng, ends = np.random.default_rng(2), []
        for _ in range(runs):
            seen, end = Blocks(), ("Inconclusive", 28)
            for k, place in enumerate(resampled(BLOCKS, len(held), rng)):
                seen += held[place]
                found = bounds(seen, ALPHA, ALPHA)
                if found.upper < MARGIN or found.lower > 0:
                    end = ("Pass" if found.upper < MARGIN else "Fail", k + 3)
                    break
            ends.append(end)
        share = {
            verdict: np.mean([end[0] == verdict for end in ends])
            for verdict in ("Pass", "Fail", "Inconclusive")
        }
        cells = " | ".join(f"{value:.0%}" for value in share.values())
        print(
            f"| {name} | {whole.mean:+.4f} ({error:.4f}) | {cells} | {np.median([end[1] for end in ends]):.0f} |"
        )


def direction(world: World, candidate: np.ndarray, stable: np.ndarray) -> None:
    starts = range(day_number("2013-12-01"), END - 8)
    print('\nDecember\'s candidate: share of start days from which "better" is ever claimed\n')
    for unit in UNITS[:3]:
        wrong = [
            claims(day.blocks(unit) for day in days_of(world, candidate, stable, start, END))[1]
            for start in starts
        ]
        print(f"- block {unit}: {np.mean(wrong):.2f} of {len(starts)} starts")


def a_a(world: World, runs: int) -> None:
    """One model in both arms of a canary; a request errs when it holds a wrong answer."""
    answers = world.trained_on("2013-01-01", "2013-04-01")
    rows = world.known & (world.days >= SERVED)
    boards = world.times[rows].astype("datetime64[s]").astype(np.int64) // 600
    origins = np.unique(world.origins[rows], return_inverse=True)[1]
    _, place = np.unique(np.stack([boards, origins]), axis=1, return_inverse=True)
    by_board = np.argsort(place, kind="stable")
    first_of_board = np.searchsorted(place[by_board], place[by_board])
    part = np.empty(len(place), np.int64)
    part[by_board] = (np.arange(len(place)) - first_of_board) // FLIGHTS_A_REQUEST
    _, place = np.unique(place * 1000 + part, return_inverse=True)
    wrong = np.bincount(place, mistakes(world.labels[rows], answers[rows]))
    sizes, hours = np.bincount(place), np.zeros(place.max() + 1, np.int64)
    hours[place] = boards // 6
    order = np.argsort(hours, kind="stable")
    wrong, sizes, hours = wrong[order], sizes[order], hours[order]
    print(f"\nA/A of error rates over 14 days from any start, looked at each hour ({len(wrong)} requests)\n")
    print(
        "| candidate's weight | betting, by the request, alpha 0.05 | z-test by the row, 5 % |\n|---|---|---|"
    )
    for weight in (0.05, 0.2, 0.5):

        def one(rng: np.random.Generator, weight: float = weight) -> tuple[bool, bool]:
            begin = rng.integers(0, np.searchsorted(hours, hours[-1] - 14 * 24))
            span = slice(begin, np.searchsorted(hours, hours[begin] + 14 * 24))
            to_candidate = rng.random(span.stop - begin) < weight
            erred, last = wrong[span] > 0, np.flatnonzero(np.append(np.diff(hours[span]) > 0, True))
            arms = (to_candidate, ~to_candidate)
            n = [np.cumsum(arm)[last] for arm in arms]
            e = [np.cumsum(arm & erred)[last] for arm in arms]
            bet = STAKES * (1 - weight)
            fortune = np.outer(e[1], np.log1p(-STAKES)) + np.outer(e[0], np.log1p(bet / weight))
            betting = np.log(np.exp(fortune) @ SHARES) >= log(1 / ALPHA)
            r = [np.cumsum(arm * sizes[span])[last] for arm in arms]
            w = [np.cumsum(arm * wrong[span])[last] for arm in arms]
            enough = n[0] >= LEAST_CANDIDATE_REQUESTS
            if not enough.any():
                return False, False
            (wc, ws), (rc, rs) = ([arm[enough] for arm in counts] for counts in (w, r))
            rate = (wc + ws) / (rc + rs)
            z = (wc / rc - ws / rs) / np.sqrt(rate * (1 - rate) * (1 / rc + 1 / rs))
            return bool(betting[enough].any()), bool((np.abs(z) > 1.96).any())

        found = rates(one, runs)
        print(f"| {weight:.0%} | {found[0]:.3f} | {found[1]:.3f} |")


def latency(runs: int) -> None:
    edges = 1.02 ** np.arange(-100, 400)

    def one(rng: np.random.Generator) -> tuple[bool, bool]:
        counts = np.zeros((2, len(edges)), np.int64)
        slow = fast = False
        for _ in range(28):
            for arm, requests in ((0, 100), (1, 400)):
                drawn = rng.lognormal(1.5, 0.5, requests)
                counts[arm] += np.bincount(np.searchsorted(edges, drawn), minlength=len(edges))
            found = ratio_bounds(*(Durations.of(edges, arm) for arm in counts), 0.95, ALPHA, ALPHA)
            slow, fast = slow or found.lower > 0, fast or found.upper < 0
        return slow, fast

    found = shown(rates(one, runs))
    print(f"\nA/A of latency_p95 (log-normal, 28 looks of 100 + 400 requests), alpha 0.05 a side: {found}")


def performance(world: World, first: np.ndarray, later: np.ndarray, runs: int) -> None:
    print("\nPerformance drift, alpha 0.05: false alarms in 90 days, and the day of the first true one\n")
    print(
        "| reference's error | from its 28 days | in runs | from August to November | in runs | first alarm |"
    )
    print("|---|---|---|---|---|---|")
    reference = world.reference(FIRST, SERVED)
    held = world.reference_skills(FIRST, SERVED)
    autumn = world.skills(later, day_number("2013-08-01"), day_number("2013-12-01"))
    pools = (np.array(held), np.array([total / rows for total, rows in autumn]))
    for factor in (0.0, 1.0, 1.645, 2.0, 3.0):
        cells = []
        for pool, run in ((pool, run) for pool in pools for run in (1, RUN_DAYS)):

            def one(
                rng: np.random.Generator, pool: np.ndarray = pool, run: int = run, factor: float = factor
            ) -> tuple[bool]:
                known = pool[resampled(28, len(pool), rng, run)]
                error, seen = factor / REFERENCE_ERRORS * float(known.std(ddof=1)) / np.sqrt(28), Blocks()
                for skill in pool[resampled(90, len(pool), rng, run)].tolist():
                    seen = seen.add(skill, 1.0)
                    if bounds_above(seen, float(known.mean()), error, ALPHA, ALPHA).lower > 0:
                        return (True,)
                return (False,)

            cells.append(f"{rates(one, runs)[0]:.3f}")
        seen, alarm = Blocks(), "none"
        for k, (total, rows) in enumerate(world.skills(first, SERVED, END)):
            seen = seen.add(total, rows)
            if (
                bounds_above(
                    seen, reference.mean, factor / REFERENCE_ERRORS * reference.standard_error, ALPHA, ALPHA
                ).lower
                > 0
            ):
                alarm = day_text(SERVED + k + world.mature)
                break
        print(f"| × {factor:g} | " + " | ".join([*cells, alarm]) + " |")


def shown(found: list[float]) -> str:
    return " / ".join(f"{rate:.3f}" for rate in found)


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    began, world = time.monotonic(), World.read()
    first, may, july = (
        world.trained_on("2013-01-01", until) for until in ("2013-04-01", "2013-05-22", "2013-07-12")
    )
    autumn = world.trained_on("2013-09-01", "2013-12-01")
    spans = {
        "22 May beside first, until July": (may, first, "2013-05-22", "2013-08-01"),
        "12 July beside 22 May, July and August": (july, may, "2013-07-12", "2013-09-01"),
        "12 July beside 22 May, September to November": (july, may, "2013-09-01", "2013-12-01"),
        "September to November beside 12 July, December": (autumn, july, "2013-12-01", "2014-01-01"),
    }
    pairs = {
        name: days_of(world, candidate, stable, day_number(start), day_number(end))
        for name, (candidate, stable, start, end) in spans.items()
    }
    print(f"{runs} runs a cell")
    power(pairs, runs)
    paired(world, pairs, runs)
    direction(world, autumn, july)
    print("December's shadow:", shadow(world, autumn, july, day_number("2013-12-01")))
    a_a(world, runs)
    latency(max(runs // 5, 100))
    performance(world, first, july, max(runs // 2, 100))
    print(f"\n{time.monotonic() - began:.0f} s")
