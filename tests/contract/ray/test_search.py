"""A search whose trials run in processes of Ray: at once, by ASHA, and through the deaths of one of them and of all."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.ray.started import Started

pytestmark = pytest.mark.xdist_group("ray")

SEARCHER = Path(__file__).with_name("searcher.py")
PATIENCE_S = 120


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    started: list[Started] = []

    def begin(trials: str = "14") -> Started:
        errors = tmp_path / f"{len(started)}.err"
        started.append(Started.of(SEARCHER, str(tmp_path), trials, errors=errors))
        return started[-1]

    yield begin
    for one in started:
        one.kill()


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not (found := holds()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def at_work(root: Path) -> list[int]:
    """Processes that came to a drawn trial."""
    return [int(file.name.split("-")[1]) for file in root.glob("at-*")]


def test_trials_run_at_once_by_asha_and_outlive_a_killed_process_and_a_killed_search(
    begin: Callable[..., Started], tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    first = begin()
    first.until("trial 0 of 14 (the project's own)")
    assert eventually(lambda: len(at_work(tmp_path)) == 2), first.lines
    os.kill(at_work(tmp_path)[0], signal.SIGKILL)
    first.until("its process died, so it is tried anew")
    hold.unlink()
    first.until("trial 3 of 14")
    first.process.kill()
    first.process.wait()
    # what Ray itself has beside them goes within two minutes, as test_workers sees
    assert eventually(lambda: not any("Trial" in name for name in first.each(lambda one: one.name())))

    second = begin()
    assert second.ended() == 0, second.lines
    assert not any("the project's own" in line for line in second.lines), "it was tried again"
    assert second.left() == []
    tried = json.loads(second.lines[-1])
    assert len(tried) == 14
    values = [value for _, _, value, _, _ in tried if value is not None]
    assert min(values) < tried[0][2], "all was worse than the project's own"
    hopeless = [one for one in tried if one[1] == "pruned"]
    assert hopeless
    assert all(folds < 3 and because == "hopeless" for _, _, _, folds, because in hopeless)
    failed = {because for _, state, _, _, because in tried if state == "failed"}
    assert failed == {"its process died 2 times: one that is killed is often out of memory"}


def test_trials_that_outlive_the_budget_are_ended_with_their_processes(
    begin: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "hold").touch()
    held = begin("5s")
    assert held.ended() == 0, held.lines
    assert held.left() == []
    own, *others = json.loads(held.lines[-1])
    assert own[1] == "complete"
    assert others
    assert {(state, because) for _, state, _, _, because in others} == {("pruned", "out of time")}
    assert any(line.startswith("process ") and ": draws " in line for line in held.lines), held.lines
