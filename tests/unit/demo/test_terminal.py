"""The demo's terminal: lines off a terminal, a picture on one, and neither costs anything."""

import io
import time
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from trimtab.api.monitor import DriftedColumn, Episode, MonitorStatus, SkillSeen
from trimtab.api.rollout_status import CheckStatus, Move, Phase, RevisionRef, RolloutStatus
from trimtab.local.demo.picture import Moment, gauge, picture
from trimtab.local.demo.terminal import Terminal

START, END = datetime(2013, 4, 1, 8, tzinfo=UTC), datetime(2014, 1, 1, 5, tzinfo=UTC)
FIRST = RevisionRef(revision="1a2b3c4d", version="1", uri="u", digest="d")
SECOND = RevisionRef(revision="5e6f7a8b", version="4", uri="u", digest="d")
PROMOTED = Move(at=START, kind="Promoted", revision="1a2b3c4d", because="version 1 serves every request")
TAKEN = Move(
    at=START, kind="CandidateTaken", revision="5e6f7a8b", because="version 4 is the newest [candidate]"
)
LOSS = CheckStatus(
    name="loss", step="shadow", verdict="Pass", estimate=-0.02, lower=-0.06, upper=0.01, margin=0.02, units=14
)
SHADOW = RolloutStatus(
    phase=Phase.SHADOW,
    stable=FIRST,
    candidate=SECOND,
    traffic={"1a2b3c4d": 100},
    mirror="5e6f7a8b",
    checks=(LOSS,),
    history=(PROMOTED, TAKEN),
)
ALARM = Episode.model_validate(
    {
        "id": "p1",
        "cause": "performance",
        "openedAt": START,
        "revision": "1a2b3c4d",
        "because": "skill fell by 0.050 nats a row",
    }
)
MONITOR = MonitorStatus(
    skill=SkillSeen(blocks=8, drop=0.05, lower=0.005, upper=0.09),
    episodes=(ALARM,),
    worst=(DriftedColumn(column="humid", measure="ks", value=0.4, threshold=0.3, drifted=True),),
)


def shown(width: int = 110) -> tuple[Terminal, io.StringIO]:
    out = io.StringIO()
    return Terminal(Console(file=out, width=width)), out


def test_off_a_terminal_each_thing_is_one_line_and_told_once() -> None:
    terminal, out = shown()
    with terminal:
        terminal.live_through(((START, END),))
        for hour in range(5):
            terminal.hour(START + timedelta(hours=hour), SHADOW, MONITOR, hour * 10, 0)
    lines = out.getvalue().splitlines()
    assert sum("v1 is promoted" in line for line in lines) == 1
    assert sum("v4 is taken as candidate" in line for line in lines) == 1
    assert sum("performance alarm" in line for line in lines) == 1
    assert len(lines) == 4
    assert "\x1b" not in out.getvalue()


def test_brackets_in_a_reason_are_text() -> None:
    terminal, out = shown()
    terminal.hour(START, SHADOW, MONITOR, 0, 0)
    assert "version 4 is the newest [candidate]" in out.getvalue()


def test_a_failed_step_says_so() -> None:
    terminal, out = shown()
    terminal.step({"event": "task_started", "task": "train"})
    terminal.step({"event": "task_ended", "task": "train", "seconds": 1.5, "succeeded": False})
    terminal.step({"event": "run_ended", "succeeded": False})
    assert out.getvalue().count("\n") == 1
    assert "train" in out.getvalue()
    assert "failed" in out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 118, 200])
def test_the_picture_shows_traffic_skill_features_and_bounds(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(picture(Moment(START, SHADOW, MONITOR, 100, 0, 0.25), 60.0, 180.0, ""))
    text = out.getvalue()
    for part in ("v1", "v4", "100 %", "skill", "humid", "loss", "performance alarm"):
        assert part in text.replace("\n", " ")
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_the_gauge_puts_bounds_estimate_and_margin_in_order() -> None:
    text = gauge(LOSS, "green").plain
    assert text.index("━") < text.index("●") < text.index("┃")
    assert text.rindex("━") < text.index("┃")


def test_infinite_bounds_reach_the_gauge_s_end_and_unknown_ones_are_not_drawn() -> None:
    assert gauge(LOSS.model_copy(update={"lower": None}), "green").plain.startswith("━")
    assert "━" not in gauge(LOSS.model_copy(update={"lower": None, "upper": None}), "green").plain


def test_an_hour_costs_little() -> None:
    terminal, _ = shown()
    terminal.live_through(((START, END),))
    terminal.hour(START, SHADOW, MONITOR, 0, 0)
    began = time.process_time()
    for hour in range(500):
        terminal.hour(START + timedelta(hours=hour % 24), SHADOW, MONITOR, hour, 0)
    assert (time.process_time() - began) / 500 < 0.002
