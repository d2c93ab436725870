"""Searches with Optuna itself on a small world: what is tried, given up, gone on with, and never seen."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from search_world import PROJECT, SPACE, Broken, Hands, World, some_rows

from trimtab.api.errors import ExtraMissing, InputRefused, SurroundingsFailed

pytestmark = pytest.mark.xdist_group("search")


KILLED_AT = """
from pathlib import Path
from sklearn.linear_model import LogisticRegression

FITS = Path({fits!r})


def build(schema, rate=0.5):
    FITS.write_text(FITS.read_text() + ".")
    if len(FITS.read_text()) == {last}:
        raise KeyboardInterrupt
    return LogisticRegression(C=rate)
"""


def essence(tried):
    """What two equal searches have in common."""
    return [(one.candidate, one.state, one.value, one.folds) for one in tried]


def test_the_best_of_all_families_is_found_and_never_a_worse_one_than_the_projects_own(world):
    found = world.search({"trials": 8, "space": SPACE})
    assert len(found.tried) == 8
    assert found.tried[0].candidate is None
    assert {one.candidate.family for one in found.tried[1:]} == {"gradient_boosting", "logistic"}
    values = [one.value for one in found.tried if one.value is not None]
    assert found.best.value == min(values) <= found.own.value
    assert found.best.value == pytest.approx(np.mean(found.best.folds))
    assert found.source.name == (found.best.candidate or found.source).family
    assert world.said[-1].startswith("trial 7 of 8 ")
    assert f"best log_loss {found.best.value:.5f} (trial {found.best.number})" in world.said[-1]


def test_a_network_s_trials_learn_as_the_project_s_training_says(world):
    space = {"mlp": {"dropout": {"low": 0.0, "high": 0.3}}}

    def tried(epochs):
        training = {**PROJECT["training"], "epochs": epochs, "patience": None}
        search = {"trials": 2, "space": space, "pruner": "none"}
        return world.search(search, study=f"{epochs}.db", training=training).tried[1]

    short, long = tried(1), tried(8)
    assert short.candidate == long.candidate
    assert long.value < short.value


def test_a_network_that_is_asked_for_has_a_default_space(world):
    from trimtab.steps.search.spaces import DEFAULTS

    training = {**PROJECT["training"], "epochs": 1}
    found = world.search({"trials": 3, "space": {"mlp": {}}, "pruner": "none"}, training=training)
    drawn = [one.candidate for one in found.tried if one.candidate]
    assert len(drawn) == 2
    for one in drawn:
        assert one.family == "mlp"
        assert one.params.keys() == DEFAULTS["mlp"].parameters.keys()
        assert one.params["hidden"] in DEFAULTS["mlp"].parameters["hidden"].values()
    assert all(one.state == "complete" for one in found.tried)


def test_a_parameter_that_a_network_does_not_take_is_named_before_any_trial(world):
    with pytest.raises(InputRefused, match=r"search\.space\.mlp\.dropuot: mlp takes no parameter") as refused:
        world.search({"trials": 2, "space": {"mlp": {"dropuot": {"low": 0.0, "high": 0.3}}}})
    assert refused.value.remedy == "did you mean `dropout`?"


def test_a_metric_where_more_is_better_is_maximised(world):
    found = world.search({"trials": 5, "space": SPACE, "pruner": "none"}, metric="roc_auc")
    assert found.best.value == max(one.value for one in found.tried)


def test_a_budget_alone_takes_the_default_space_of_every_ready_family(world):
    from trimtab.steps.search.spaces import DEFAULTS, space_of

    search = world.project({"budget": "20m"}).search
    space = space_of(world.project({"budget": "20m"}), search, "binary")
    assert {name: set(one) for name, one in space.items()} == {
        name: set(DEFAULTS[name].parameters) for name in ("gradient_boosting", "extra_trees", "logistic")
    }
    of_a_number = space_of(world.project({"budget": "20m"}), search, "regression")
    assert of_a_number.keys() == {"gradient_boosting", "extra_trees"}


def test_what_the_space_does_not_name_stays_as_the_project_has_it(world):
    space = {"gradient_boosting": {"learning_rate": {"low": 0.1, "high": 0.4}}}
    found = world.search({"trials": 3, "space": space})
    drawn = next(one for one in found.tried if one.candidate).candidate
    from trimtab.steps.search.spaces import source_of

    params = source_of(drawn, world.source(world.project({"trials": 3})), default=False).params
    assert params == {"max_iter": 8, "early_stopping": False, **drawn.params}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_was_killed_goes_on_and_ends_as_one_that_was_not(world, sampler):
    asked = {"trials": 7, "space": SPACE, "sampler": sampler, "folds": {"count": 2}}
    whole = world.search(asked, study="whole.db")

    def broken_off(line):
        if line.startswith("trial 3 "):
            raise Broken

    with pytest.raises(Broken):
        world.search(asked, study="killed.db", say=broken_off)
    rest = []
    found = world.search(asked, study="killed.db", say=rest.append)
    assert len(rest) == 3
    assert essence(found.tried) == essence(whole.tried)


def test_a_trial_that_was_at_work_when_the_search_was_killed_is_tried_anew(world):
    asked = {"trials": 5, "space": {"rate": {"low": 0.1, "high": 1.0}}}
    fits = world.folder / "fits"

    def searched(study, last):
        fits.write_text("")
        (world.folder / "model.py").write_text(KILLED_AT.format(fits=str(fits), last=last))
        return world.search(asked, study=study, model="model.py")

    whole = searched("whole.db", 999)
    with pytest.raises(KeyboardInterrupt):
        searched("killed.db", 8)  # in the second fold of the third trial
    found = searched("killed.db", 999)
    assert essence(found.tried) == essence(whole.tried)
    assert [one.number for one in found.tried] == [0, 1, 3, 4, 5]


def test_the_budget_counts_time_that_is_spent_already(world):
    asked = {
        "budget": "60s",
        "space": {"logistic": SPACE["logistic"]},
        "pruner": "none",
        "folds": {"count": 1},
    }

    def broken_off(line):
        if line.startswith("trial 2 "):
            raise Broken

    with pytest.raises(Broken):
        world.search(asked, clock=Hands(step_s=1.0), say=broken_off)
    found = world.search(asked, clock=Hands(step_s=1.0))
    alone = world.search(asked, study="other.db", clock=Hands(step_s=1.0))
    assert 60 <= found.spent_s <= 65
    assert abs(len(found.tried) - len(alone.tried)) <= 1
    assert "0s left" in world.said[-1]
    assert world.search(asked, clock=Hands(step_s=1.0)).tried == found.tried


def test_the_first_trial_ends_whatever_the_budget(world):
    found = world.search({"budget": "1s", "space": SPACE}, clock=Hands(step_s=30))
    assert len(found.tried) == 1
    assert found.best.candidate is None


@pytest.mark.parametrize("space", [SPACE, {"extra_trees": {}}])
def test_a_trial_is_given_up_when_the_time_is_over(world, space):
    found = world.search({"budget": "60s", "space": space}, clock=Hands(step_s=1.0))
    last = found.tried[-1]
    assert (last.state, last.because) == ("pruned", "out of time")
    assert len(last.folds) < len(found.folds)


def of_rounds(**choices):
    fixed = {"max_iter": [60], "early_stopping": [False], "max_leaf_nodes": [31], "min_samples_leaf": [1]}
    return {"gradient_boosting": {name: {"choices": one} for name, one in (fixed | choices).items()}}


def test_a_hopeless_fit_that_gets_worse_is_stopped_within_its_rounds(world):
    space = of_rounds(learning_rate=[0.02, 1.0])
    found = world.search({"trials": 10, "space": space, "sampler": "random", "folds": {"count": 2}})
    given_up = [one for one in found.tried if one.state == "pruned"]
    assert {one.candidate.params["learning_rate"] for one in given_up} == {1.0}
    assert {(one.because, one.folds) for one in given_up} == {("hopeless", ())}


def test_a_fit_that_gets_better_is_stopped_at_its_folds_end_at_the_earliest(world):
    space = of_rounds(learning_rate=[0.02, 1e-6])
    found = world.search({"trials": 10, "space": space, "sampler": "random", "folds": {"count": 2}})
    given_up = [one for one in found.tried if one.state == "pruned"]
    assert {one.candidate.params["learning_rate"] for one in given_up} == {1e-6}
    assert {len(one.folds) for one in given_up} == {1}


def test_hyperband_gives_up_some_and_without_a_pruner_none(world):
    asked = {"trials": 12, "space": {"logistic": SPACE["logistic"]}, "sampler": "random"}
    banded = world.search({**asked, "pruner": "hyperband"}, study="banded.db")
    assert any(one.state == "pruned" for one in banded.tried)
    every = world.search({**asked, "trials": 5, "pruner": "none", "folds": {"count": 1}}, study="every.db")
    assert {one.state for one in every.tried} == {"complete"}


def test_a_grid_tries_each_point_once_and_ends(world):
    space = {
        "gradient_boosting": {
            "max_iter": {"choices": [3, 6]},
            "max_leaf_nodes": {"low": 4, "high": 8, "step": 4},
        },
        "logistic": {"C": {"choices": [0.1, 1.0]}},
    }
    found = world.search({"trials": 99, "space": space, "sampler": "grid", "pruner": "none"})
    points = [(one.candidate.family, *one.candidate.params.values()) for one in found.tried[1:]]
    assert sorted(points, key=str) == sorted(
        [
            *(("gradient_boosting", rounds, leaves) for rounds in (3, 6) for leaves in (4, 8)),
            ("logistic", 0.1),
            ("logistic", 1.0),
        ],
        key=str,
    )


def test_trials_that_fail_are_kept_and_do_not_end_the_search(world):
    (world.folder / "model.py").write_text(
        "import numpy as np\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "class Nan(LogisticRegression):\n"
        "    def predict_proba(self, x):\n"
        "        return super().predict_proba(x) * np.nan\n"
        "def build(schema, how='well'):\n"
        "    if how == 'raise':\n"
        "        raise ValueError('as asked')\n"
        "    return Nan() if how == 'nan' else LogisticRegression()\n"
    )
    space = {"how": {"choices": ["well", "raise", "nan"]}}
    found = world.search({"trials": 99, "space": space, "sampler": "grid"}, model="model.py")
    assert [one.state for one in found.tried] == ["complete", "complete", "failed", "failed"]
    assert "build raised ValueError: as asked (line 8)" in found.tried[2].because
    assert "answered NaN or infinity" in found.tried[3].because
    assert "failed: " in world.said[-1]


def test_where_all_trials_fail_the_commonest_cause_is_said(world):
    (world.folder / "model.py").write_text(
        "def build(schema, depth=0):\n"
        "    if depth > 1:\n"
        "        raise ValueError('too deep')\n"
        "    raise KeyError('no depth')\n"
    )
    asked = {"trials": 99, "space": {"depth": {"choices": [1, 2, 3, 4]}}, "sampler": "grid"}
    with pytest.raises(InputRefused, match=r"all 5 trials failed, 3 of them so: .*ValueError: too deep"):
        world.search(asked, model="model.py")
    endless = {"budget": "9h", "space": {"depth": {"low": 2, "high": 90}}}
    with pytest.raises(InputRefused, match="all 20 trials failed"):
        world.search(endless, study="endless.db", model="model.py")


def before_test(world, project, rows, study):
    """The search as train makes it."""
    from trimtab.adapters.optuna import OptunaStudies
    from trimtab.steps.search.before_test import search_before_test
    from trimtab.steps.search.search import Means
    from trimtab.steps.train import split

    means = Means(OptunaStudies(world.folder / study), Hands(), world.said.append)
    parts = split(project, rows)
    return search_before_test(
        project, project.search, world.source(project), rows, parts, "log_loss", POINTER, means, None,
        world.folder / "page.html", {},
    )  # fmt: skip


def test_a_search_whose_every_trial_failed_is_not_gone_on_with(world):
    (world.folder / "model.py").write_text("def build(schema, depth=0):\n    raise OSError('no disk')\n")
    asked = {"trials": 2, "space": {"depth": {"choices": [1, 2]}}}
    project = world.project(asked, model="model.py")
    with pytest.raises(InputRefused, match="all 2 trials failed"):
        before_test(world, project, world.rows, "failed.db")
    assert not (world.folder / "failed.db").exists()


def test_no_row_of_the_test_part_changes_a_search(world):
    from trimtab.steps.train import split

    project = world.project({"trials": 4, "space": SPACE})
    rows = world.rows
    parts = split(project, rows)
    # whatever is not mature when the test part begins: its rows, and those of the gap before it
    unseen = rows.times >= rows.times[parts.test].min() - np.timedelta64(6, "h")
    assert unseen.sum() > parts.test.sum()
    poisoned = replace(
        rows,
        labels=np.where(unseen, 1 - rows.labels, rows.labels),
        features={**rows.features, "x": np.where(unseen, 1e6, rows.features["x"])},
    )
    found = [
        before_test(world, project, these, f"{name}.db")
        for name, these in (("clean", rows), ("poisoned", poisoned))
    ]
    assert essence(found[0].tried) == essence(found[1].tried)
    assert found[0].rows.times.max() < rows.times[parts.test].min() - np.timedelta64(6, "h")
    seen = np.concatenate([fold.validation for fold in found[0].folds])
    assert len(seen), "the folds judged nothing"


def test_outer_folds_judge_what_a_search_before_them_found(world):
    asked = {"trials": 3, "space": SPACE, "folds": {"count": 1, "outer": 2}}
    found = world.search(asked)
    assert len(found.outer) == 2
    assert np.isfinite(found.outer).all()
    assert sum(line.startswith("outer fold 1 of 2: trial ") for line in world.said) == 3
    # the first search knows nothing of what comes after its outer fold's gap
    late = world.rows.times > world.rows.times[-1] - np.timedelta64(9, "D")
    other = replace(world.rows, labels=np.where(late, 1 - world.rows.labels, world.rows.labels))
    again = World(world.folder, other).search(asked, study="late.db")
    assert again.outer[0] == found.outer[0]
    assert again.outer[1] != found.outer[1]


def test_without_a_time_folds_are_drawn_at_random(world):
    rows = some_rows(timed=False)
    found = world.search({"trials": 3, "space": SPACE}, rows=rows, examples={"label": {"column": "y"}})
    judged = np.concatenate([fold.validation for fold in found.folds])
    assert sorted(judged) == list(range(len(rows)))


@pytest.mark.parametrize(
    ("search", "metric", "said"),
    [
        ({"space": {"gradient_boosting": {"learning_rat": {"choices": [1]}}}}, "log_loss",
         r"search\.space\.gradient_boosting\.learning_rat: gradient_boosting takes no parameter"),
        ({"space": {"logistic": {"depth": {"choices": [1]}}}}, "log_loss", r"search\.space\.logistic\.depth"),
        ({}, "r2", r"search\.metric: 'r2' is no metric of a binary task"),
        ({"folds": {"count": 20, "length": "1h"}}, "log_loss", r"search\.folds: fold 1 of 20 has \d+ training and 1 "),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_the_first_trial(world, search, metric, said):
    with pytest.raises(InputRefused, match=said) as refused:
        world.search({"trials": 3, **search}, metric=metric)
    assert refused.value.remedy
    assert world.said == []


def test_a_parameter_that_build_does_not_take_is_refused(world):
    (world.folder / "model.py").write_text("def build(schema, depth=3): ...\n")
    with pytest.raises(
        InputRefused, match=r"search\.space\.dept: model\.py takes no parameter 'dept'"
    ) as refused:
        world.search({"trials": 3, "space": {"dept": {"choices": [1]}}}, model="model.py")
    assert refused.value.remedy == "did you mean `depth`?"


def test_a_damaged_study_is_a_sentence(world):
    (world.folder / "search.db").write_bytes(b"SQLite format 3\0" + b"no study" * 400)
    with pytest.raises(SurroundingsFailed, match=r"search\.db: the search's study cannot be read") as failed:
        world.search({"trials": 3, "space": SPACE})
    assert "if the file is damaged, remove it" in failed.value.remedy


def test_without_optuna_the_extra_is_named(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ExtraMissing) as missing:
        world.search({"trials": 3, "space": SPACE})
    assert missing.value.remedy == "pip install 'trimtab[search]'"


def test_lists_and_words_are_choices_and_come_as_they_were_written(world):
    (world.folder / "model.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "def build(schema, layers=(), flag=None):\n"
        "    assert layers in ((), [8], [8, 4]) and flag in (None, 1, True, 'x')\n"
        "    return LogisticRegression()\n"
    )
    space = {"layers": {"choices": [[8], [8, 4]]}, "flag": {"choices": [None, True, "x"]}}
    found = world.search({"trials": 5, "space": space}, model="model.py")
    assert {one.state for one in found.tried} <= {"complete", "pruned"}
    assert found.tried[1].candidate.params["layers"] in ([8], [8, 4])


class POINTER:
    """Of a features table, for the tags."""

    version, digest = "1", "d"
