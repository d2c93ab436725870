"""Rollout steps that cannot get the verdict that they require, at the traffic and in the time that are stated."""

import math
from collections.abc import Iterator
from datetime import timedelta

from trimtab.adapters.projects.load import FILE, Loaded
from trimtab.api.document import Problem
from trimtab.api.project import Project
from trimtab.api.rollout import Check, Rollout, Step
from trimtab.api.values import format_duration
from trimtab.sequential import samples


def undecidable(loaded: Loaded) -> Iterator[Problem]:
    """One problem for each required check that can never pass at a step, with the number that it needs."""
    rollout = loaded.project.rollout
    for index, step in enumerate(rollout.steps):
        for check in rollout.checks_at(step):
            if reason := never_passes(loaded.project, rollout, step, check):
                path = ("rollout", "steps", index, "until", "maxDuration")
                yield Problem(FILE, loaded.document.line(path), f"rollout.steps[{index}]", *reason)


def never_passes(project: Project, rollout: Rollout, step: Step, check: Check) -> tuple[str, str] | None:
    """(why a required check can never pass at a step, the remedy); None when it can."""
    longest = step.until.max_duration
    if longest is None or check.require.value != "Pass":
        return None
    alpha = rollout.alphas(check)[1]
    if check.labelled:
        block = timedelta(days=1) if check.block in (None, "1d") else timedelta(hours=1)
        least = project.examples.label.mature_after + samples.blocks_for_mean(alpha) * block
        if longest < least:
            return (
                f"'{check.name}' cannot pass at '{step.name}' within {format_duration(longest)}: labels mature after "
                f"{format_duration(project.examples.label.mature_after)}, and its interval is finite from "
                f"{samples.blocks_for_mean(alpha)} blocks on",
                f"make maxDuration at least {format_duration(least)}",
            )
        return None
    if project.traffic is None or step.canary is None or check.metric != "error_rate":
        return None
    margin = check.no_worse_than_stable_by
    if margin is None or margin.absolute is None:
        return None
    share = step.canary.percent / 100
    needed = samples.requests_for_rate(float(margin.absolute), alpha, share)
    seen = project.traffic.requests_per_day * share * (longest / timedelta(days=1))
    if seen >= needed:
        return None
    days = math.ceil(needed / (project.traffic.requests_per_day * share))
    return (
        f"'{check.name}' needs {needed} requests to the candidate to pass; "
        f"'{step.name}' sees about {seen:.0f} in {format_duration(longest)}",
        f"make maxDuration at least {days}d, the share or the margin larger, or require: NotFailed",
    )
