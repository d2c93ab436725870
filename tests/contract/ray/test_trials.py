"""Trials in processes of Ray: what each came to, what ends all of them at once, and what is left of them."""

from pathlib import Path

import pytest

from tests.contract.ray.started import Started

pytestmark = pytest.mark.xdist_group("ray")

TRIER = Path(__file__).with_name("trier.py")
ALL = "[(0, 'complete', 3, ''), (1, 'complete', 3, ''), (2, 'complete', 3, ''), (3, 'pruned', 2, 'hopeless')] []"
CASES = {
    "none": (ALL,),
    "study": ("the study's disk is full", "[(0, 'complete', 3, '')] []"),
    "trial": ("the trial's disk is full",),
    "starts": ("3 processes in a row died as they took up the search", "[] []"),
    "memory": (
        "trial 0: its process died, so it is tried anew",
        "[(0, 'failed', 0, 'its process died 2 times: out of memory: Ray killed ",  # idle ones too
    ),
}
"""What is said, by what befalls them."""


@pytest.mark.parametrize("case", CASES)
def test_trials_end_with_what_befalls_them_and_leave_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if case == "memory":  # Ray kills whatever takes some, every ten seconds
        monkeypatch.setenv("RAY_memory_usage_threshold", "0.001")
        monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "10000")
    trier = Started.of(TRIER, str(tmp_path), case, errors=tmp_path / "err")
    try:
        assert trier.ended() == 0, (tmp_path / "err").read_text()
        lines = [line for line in trier.lines if "(raylet)" not in line]
        for said, line in zip(CASES[case], lines, strict=False):
            assert said in line
        assert len(lines) <= 2
        assert lines[-1].endswith("] []"), "its folder holds something"
        assert case != "memory" or lines[-1].endswith(" processes on 127.0.0.1')] []")
        assert trier.left() == []
        assert (tmp_path / "err").read_text() == ""
        assert not (tmp_path / "home").exists()
    finally:
        trier.kill()
