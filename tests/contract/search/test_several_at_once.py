"""A study of several trials at once: what is drawn, who goes on by ASHA, and what a kill leaves."""

import numpy as np
import pytest
from search_world import SPACE

pytestmark = pytest.mark.xdist_group("search")


@pytest.fixture
def opened(tmp_path):
    """Opens the study, anew or as it was left."""
    from trimtab.adapters.optuna import OptunaStudies
    from trimtab.ports.studies import Settings

    def opened(sampler="random", pruner="none", name="search"):
        settings = Settings(False, sampler, pruner, seed=7, first_fold=100, last_fold=300)
        return OptunaStudies(tmp_path / "search.db").open(name, settings)

    return opened


@pytest.fixture
def space(world):
    from trimtab.steps.search.spaces import space_of

    project = world.project({"trials": 9, "space": SPACE})
    return space_of(project, project.search, "binary")


def complete(study, asked, value):
    from trimtab.ports.studies import Ended

    study.tell(asked.number, Ended("complete", 1.0, value, (value,)), 1.0)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_no_two_trials_at_work_are_drawn_alike(opened, space, sampler):
    study = opened(sampler)
    complete(study, study.ask_own(), 0.5)
    at_work = [study.ask(space) for _ in range(4)]
    for turn in range(6):
        complete(study, at_work.pop(0), 0.4 + turn / 100)
        at_work.append(study.ask(space))
    drawn = [*(one.candidate for one in study.tried[1:]), *(one.candidate for one in at_work)]
    assert len(drawn) == 10
    assert all(one not in drawn[:place] for place, one in enumerate(drawn))


def test_what_was_at_work_at_a_kill_is_drawn_anew_and_nothing_twice(opened, space):
    study = opened()
    complete(study, study.ask_own(), 0.5)
    first, second, third = (study.ask(space) for _ in range(3))
    complete(study, second, 0.4)

    again = opened()
    assert [one.number for one in again.tried] == [0, second.number]
    drawn = [again.ask(space).candidate for _ in range(3)]
    assert drawn[:2] == [first.candidate, third.candidate]
    assert drawn[2] not in (first.candidate, second.candidate, third.candidate)


def test_each_point_of_a_grid_is_begun_once_in_whatever_order_they_end(opened, space):
    from trimtab.ports.studies import Candidate

    points = [Candidate("logistic", {"C": value}) for value in (0.1, 1.0, 10.0)]
    study = opened()
    complete(study, study.ask_own(), 0.5)
    first, second = study.ask(space, points), study.ask(space, points)
    complete(study, second, 0.4)
    third = study.ask(space, points)
    assert [one.candidate for one in (first, second, third)] == points


def test_by_asha_the_better_half_of_those_that_came_so_far_goes_on(opened, space):
    study = opened(pruner="asha")
    own = study.ask_own()
    for step in (100, 200, 300):
        assert not study.report(own.number, step, 0.0, 1.0)
    complete(study, own, 0.5)
    at_work = [study.ask(space).number for _ in range(4)]
    at_first = dict(zip(at_work, (-0.02, 0.03, -0.01, -0.03), strict=True))
    stopped = {number: study.report(number, 100, value, 1.0) for number, value in at_first.items()}
    # of two the better one, of three too, of four and five the better two
    assert list(stopped.values()) == [False, True, False, False]
    assert not study.report(at_work[3], 200, -0.03, 1.0)
    assert study.report(at_work[0], 200, -0.02, 1.0)


def test_the_rungs_of_asha_outlive_a_kill(opened, space):
    study = opened(pruner="asha")
    complete(study, study.ask_own(), 0.5)
    for value in np.linspace(-0.2, -0.1, 5):
        study.report(study.ask(space).number, 100, value, 1.0)

    again = opened(pruner="asha")
    assert again.report(again.ask(space).number, 100, -0.05, 1.0)
    assert not again.report(again.ask(space).number, 100, -0.3, 1.0)
