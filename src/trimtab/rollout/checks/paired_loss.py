"""Loss of candidate less loss of stable on the same labelled rows, by blocks of time (verdicts.md 1, 2).

Rows of a day resemble each other, so a day is one unit. A block in which more than 5 % of the labels never came is
scored twice, as if they were all 0 and all 1, and a verdict needs both to agree.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from math import inf, isclose, isfinite
from typing import Any, Final, Protocol

from trimtab.api.rollout import Check
from trimtab.api.rollout_status import CheckStatus
from trimtab.rollout.checks.base import Alphas, is_lost, lost, margin_of, written
from trimtab.sequential import Bounds, Verdict, judge, t_mixture
from trimtab.sequential.t_mixture import Blocks

MISSING_SHARE: Final = 0.05


class PairedLike(Protocol):
    """A closed, mature block (ports.evidence.PairedBlock)."""

    @property
    def start(self) -> datetime: ...
    @property
    def rows(self) -> int: ...
    @property
    def missing(self) -> int: ...
    @property
    def delta(self) -> float: ...
    @property
    def delta_if_0(self) -> float: ...
    @property
    def delta_if_1(self) -> float: ...


def judge_paired_loss(
    check: Check, alphas: Alphas, step: str, previous: CheckStatus | None, blocks: Sequence[PairedLike]
) -> CheckStatus:
    """The verdict on all mature blocks since the candidate entered its first shadow, in order.

    Args:
        previous: what was known; its sums must be those of the same blocks.
        blocks: from the first block on, those known before included.
    """
    if previous is not None and is_lost(previous):
        return previous
    known = previous.evidence if previous else {}
    through = datetime.fromisoformat(known["through"]) if known.get("through") else None
    old = [block for block in blocks if through is not None and block.start <= through]
    arms = [(sums, _held(known, arm)) for arm, sums in enumerate(_summed(old))]
    if previous is not None and not _agree([sums for sums, _ in arms], known):
        return lost(previous, step, f"the blocks up to {through} are not those that were judged")
    new = blocks[len(old) :]
    for block in new:
        grown = [sums.add(*scored) for (sums, _), scored in zip(arms, _scored_twice(block), strict=True)]
        arms = [
            (sums, bounds.tighten(t_mixture.bounds(sums, alphas.fail, alphas.pass_)))
            for sums, (_, bounds) in zip(grown, arms, strict=True)
        ]
    margin = margin_of(check)
    verdicts = [judge(bounds, margin) for _, bounds in arms]
    verdict = verdicts[0] if verdicts[0] is verdicts[1] else Verdict.INCONCLUSIVE
    sums = arms[0][0]
    wide = Bounds(min(b.lower for _, b in arms), max(b.upper for _, b in arms))
    return written(
        check,
        step,
        verdict,
        wide,
        estimate=sums.mean,
        units=sums.n,
        rows=int(sums.rows),
        reason="" if verdicts[0] is verdicts[1] else "missing labels could turn the verdict",
        evidence={
            "through": new[-1].start.isoformat() if new else known.get("through"),
            "sums": [asdict(sums) for sums, _ in arms],
            "bounds": [[_finite(b.lower), _finite(b.upper)] for _, b in arms],
        },
    )


def _summed(blocks: Sequence[PairedLike]) -> tuple[Blocks, Blocks]:
    """Both readings of the missing labels, each added up."""
    pairs = [_scored_twice(block) for block in blocks]
    return Blocks.of(pair[0] for pair in pairs), Blocks.of(pair[1] for pair in pairs)


def _scored_twice(block: PairedLike) -> tuple[tuple[float, int], tuple[float, int]]:
    """(Σ δ, rows) with missing labels read as 0, and as 1; without them where they are few."""
    everyone = block.rows + block.missing
    if everyone == 0 or block.missing / everyone <= MISSING_SHARE:
        return (block.delta, block.rows), (block.delta, block.rows)
    return (block.delta + block.delta_if_0, everyone), (block.delta + block.delta_if_1, everyone)


def _held(known: dict[str, Any], arm: int) -> Bounds:
    if "bounds" not in known:
        return Bounds()
    lower, upper = known["bounds"][arm]
    return Bounds(-inf if lower is None else float(lower), inf if upper is None else float(upper))


def _agree(grown: Sequence[Blocks], known: dict[str, Any]) -> bool:
    return all(
        sums.n == held["n"]
        and sums.rows == float(held["rows"])
        and isclose(sums.total, float(held["total"]), rel_tol=1e-9, abs_tol=1e-9)
        for sums, held in zip(grown, known["sums"], strict=True)
    )


def _finite(bound: float) -> float | None:
    return bound if isfinite(bound) else None
