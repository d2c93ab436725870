"""What workers of Ray have worked out by tasks of Ray Data, while the workers themselves hold all cores."""

import sys
from pathlib import Path

import pytest

from tests.contract.ray.mapping import ITEMS
from tests.contract.ray.started import Started
from trimtab.api.errors import SurroundingsFailed

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("mapping")
    started = Started.of(Path(__file__).with_name("mapping.py"), str(root), errors=root / "errors")
    assert started.ended() == 0, (root / "errors").read_text()
    assert started.left() == []
    return dict(line.split(" ", 1) for line in started.lines)


def test_answers_come_in_the_order_of_the_items_whichever_is_done_first(told: dict[str, str]) -> None:
    assert told["order"] == str([item * item for item in range(ITEMS)])
    assert told["none"] == "[]"


def test_what_a_task_raises_is_raised_where_it_was_asked_for(told: dict[str, str]) -> None:
    assert told["refused"].startswith("InputRefused: part-3 of the table is gone")
    assert told["broken"].startswith("in a task of Ray Data: ")
    assert told["broken"].endswith("ZeroDivisionError: division by zero")


def test_who_closes_it_has_no_more_worked_out(told: dict[str, str]) -> None:
    assert told["first"] == "[0, 1, 2]"
    assert int(told["ran"]) < 1000


def test_a_process_that_is_not_of_ray_is_told_so() -> None:
    from trimtab.adapters.ray.ray_data import mapped

    before = "ray" in sys.modules
    with pytest.raises(
        SurroundingsFailed, match=r"training\.reader: ray-data, but this process is not connected"
    ):
        list(mapped(str, range(3), 1))
    assert ("ray" in sys.modules) == before, "what Ray reads when it is imported would be set too late"
