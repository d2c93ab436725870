"""Rollout steps that cannot get the verdict that they require, at the traffic and in the time that are stated.

Of each step the best case is taken: all of its maxDuration, no error, the first candidate's alpha. What even that
does not suffice for is refused, with the number that would do.
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from trimtab.adapters.projects.load import FILE, Loaded
from trimtab.api.document import Problem
from trimtab.api.project import Project
from trimtab.api.rollout import DAY, Check, Require, Rollout, Step
from trimtab.api.values import format_duration
from trimtab.rollout.checks.latency import LEAST_REQUESTS, quantile_of
from trimtab.sequential import betting, samples
from trimtab.sequential.betting import Strata, Stratum

Reason = tuple[str, str]
TO_PASS: Final = "requests to the candidate to pass"


def undecidable(loaded: Loaded) -> Iterator[Problem]:
    """One problem for each check that a step can never get past, with the number that it needs."""
    for index in range(len(loaded.project.rollout.steps)):
        path = ("rollout", "steps", index, "until", "maxDuration")
        for reason in never_decided(loaded.project, index):
            yield Problem(FILE, loaded.document.line(path), f"rollout.steps[{index}]", *reason)


def never_decided(project: Project, index: int) -> Iterator[Reason]:
    """(why a step can never end well, the remedy); none when it can. Without maxDuration time is no limit."""
    rollout = project.rollout
    step = rollout.steps[index]
    if not (step.shadow or step.canary):
        return
    reasons = [_samples(project, step)]
    for check in rollout.checks_at(step):
        if check.labelled:
            reasons.append(_labelled(project, index, check))
        elif check.require is Require.PASS and check.metric == "error_rate":
            reasons.append(_error_rate(project, index, check))
        elif check.require is Require.PASS:
            reasons.append(_latency(project, index, check))
    yield from (reason for reason in reasons if reason)


def _labelled(project: Project, index: int, check: Check) -> Reason | None:
    """Blocks of labels: as many as the step asks for, and for Pass as many as make an interval finite."""
    rollout, label = project.rollout, project.examples.label
    step, (fail, pass_) = rollout.steps[index], rollout.alphas(check)
    if not label.mature_after:
        return (
            f"'{check.name}' never sees a label that comes after its prediction: one counts if it is known by "
            "matureAfter, which is 0s",
            "make examples.label.matureAfter as long as nearly every label takes, such as 1d",
        )
    longest = _longest([one.until.max_duration for one in _asked(rollout, index, check)])
    if longest is None:
        return None
    block = timedelta(hours=1) if check.block == "1h" else DAY
    needed = step.until.min_blocks or samples.blocks_for_mean(fail)
    because = "minBlocks asks for" if step.until.min_blocks else "its interval is finite from"
    if check.require is Require.PASS and samples.blocks_for_mean(pass_) > needed:
        needed, because = samples.blocks_for_mean(pass_), "its interval is finite from"
    least = label.mature_after + needed * block
    if longest >= least:
        return None
    before = longest - (step.until.max_duration or longest)
    return (
        f"'{check.name}' cannot be judged at '{step.name}' within {format_duration(longest)}: {because} {needed} "
        f"blocks of {format_duration(block)}, and labels mature after {format_duration(label.mature_after)}",
        f"make maxDuration at least {format_duration(least - before)}",
    )


def _error_rate(project: Project, index: int, check: Check) -> Reason | None:
    """Requests of all steps of a kind add up."""
    margin, step = check.no_worse_than_stable_by, project.rollout.steps[index]
    asked = _asked(project.rollout, index, check)
    if project.traffic is None or margin is None or margin.absolute is None:
        return None
    if _longest([one.until.max_duration for one in asked]) is None:
        return None
    a_day, allowed = project.traffic.requests_per_day, float(margin.absolute)
    fail, alpha = project.rollout.alphas(check)
    clean = Strata.of(
        Stratum(_weight(one), int(_sees(one, a_day)), 0, int(_sees(one, a_day) / _weight(one) * (1 - _weight(one))), 0)
        for one in asked
    )  # fmt: skip
    if betting.bounds(clean, fail, alpha).upper < allowed:
        return None
    needed = samples.requests_for_rate(allowed, alpha, _weight(step))
    otherwise = ", the share or the margin larger, or require: NotFailed"
    return _too_few(check.name, TO_PASS, needed, step, a_day, otherwise)


def _latency(project: Project, index: int, check: Check) -> Reason | None:
    """A quantile has no upper bound on fewer requests; each step has its own sequence, at its share of alpha."""
    rollout, step = project.rollout, project.rollout.steps[index]
    asked = _asked(rollout, index, check)
    if project.traffic is None or _longest([one.until.max_duration for one in asked]) is None:
        return None
    a_day = project.traffic.requests_per_day
    alpha = rollout.alphas(check)[1] / sum(check in rollout.checks_at(one) for one in rollout.steps)
    needed = max(LEAST_REQUESTS, samples.requests_for_quantile(quantile_of(check.asks), alpha))
    if max(_sees(one, a_day) for one in asked) >= needed:
        return None
    return _too_few(check.name, TO_PASS, needed, step, a_day, ", the share larger, or require: NotFailed")


def _samples(project: Project, step: Step) -> Reason | None:
    needed = step.until.min_samples
    if (
        project.traffic is None
        or step.until.max_duration is None
        or _sees(step, project.traffic.requests_per_day) >= needed
    ):
        return None
    return _too_few(
        "minSamples",
        "requests to the candidate",
        needed,
        step,
        project.traffic.requests_per_day,
        ", or minSamples smaller",
    )


def _too_few(what: str, of: str, needed: int, step: Step, a_day: int, else_: str) -> Reason:
    longest = step.until.max_duration or timedelta()
    days = math.ceil(needed / (_sees(step, a_day) / (longest / DAY)))
    return (
        f"'{what}' needs {needed} {of}; "
        f"'{step.name}' sees about {_sees(step, a_day):.0f} in {format_duration(longest)}",
        f"make maxDuration at least {days}d{else_}",
    )


def _asked(rollout: Rollout, index: int, check: Check) -> list[Step]:
    """The steps up to this one whose evidence a check has: shadows and canaries are kept apart."""
    step = rollout.steps[index]
    return [
        one
        for one in rollout.steps[: index + 1]
        if bool(one.shadow) == bool(step.shadow) and check in rollout.checks_at(one)
    ]


def _longest(lengths: list[timedelta | None]) -> timedelta | None:
    """All of them together; None where one has no end."""
    ends = [length for length in lengths if length is not None]
    return sum(ends, timedelta()) if len(ends) == len(lengths) else None


def _sees(step: Step, a_day: int) -> float:
    """Requests to the candidate in a step's maxDuration."""
    kind = step.canary or step.shadow
    assert kind is not None
    assert step.until.max_duration is not None
    return a_day * kind.percent / 100 * (step.until.max_duration / DAY)


def _weight(step: Step) -> float:
    """The candidate's share of all answers; in a shadow both answer."""
    if step.canary is not None:
        return step.canary.percent / 100
    assert step.shadow is not None
    share = step.shadow.percent / 100
    return share / (1 + share)
