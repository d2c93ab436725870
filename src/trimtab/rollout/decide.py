"""The rules of a rollout, in order of authority."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from trimtab.api.rollout import Rollout
from trimtab.rollout.broken import roll_back_what_is_broken
from trimtab.rollout.candidates import supersede, take_candidate
from trimtab.rollout.capacity import (
    keep_capacity,
    raise_capacity,
    release_capacity,
    thaw,
    wait_for_capacity,
    warm_what_is_new,
)
from trimtab.rollout.decision import Decision
from trimtab.rollout.failing import roll_back_what_fails, roll_back_what_is_barred
from trimtab.rollout.mending import keep_serving, mend_route
from trimtab.rollout.orders import obey_abort, obey_retry, obey_undo
from trimtab.rollout.promotion import finish_promotion, release_previous, retire_strays, retire_what_left
from trimtab.rollout.rolling_back import finish_roll_back
from trimtab.rollout.steps import (
    ask_for_approval,
    obey_promote,
    reenter_edited_step,
    take_next_step,
    wait_for_route,
)
from trimtab.rollout.suspending import obey_suspend
from trimtab.rollout.warming import begin, wait_until_ready, warm_up
from trimtab.rollout.world import Observed

Rule = Callable[[Rollout, Observed, datetime], Decision | None]

RULES: Final[tuple[Rule, ...]] = (
    obey_abort,
    obey_undo,
    roll_back_what_is_broken,
    roll_back_what_fails,
    roll_back_what_is_barred,
    mend_route,
    keep_serving,
    finish_roll_back,
    keep_capacity,
    obey_suspend,
    obey_retry,
    supersede,
    retire_what_left,
    release_previous,
    obey_promote,
    raise_capacity,
    release_capacity,
    warm_what_is_new,
    finish_promotion,
    take_candidate,
    wait_until_ready,
    warm_up,
    begin,
    reenter_edited_step,
    wait_for_capacity,
    wait_for_route,
    ask_for_approval,
    take_next_step,
    thaw,
    retire_strays,
)


def decide(spec: Rollout, seen: Observed, now: datetime) -> Decision:
    """The next move of a rollout: that of the first rule with something to say.

    Rules stand in order of authority: what a person ordered, then safety, then progress.
    """
    for rule in RULES:
        if decision := rule(spec, seen, now):
            return decision
    return Decision.rest(_rests_on(seen))


def _rests_on(seen: Observed) -> str:
    newest, stable = seen.newest, seen.status.stable
    if newest is not None and newest.rejected is not None:
        return f"version {newest.ref.version} stays out: {newest.rejected}; `rollout retry` lets it in again"
    if stable is None:
        return "no version is wished yet"
    return "the wished version is stable"
