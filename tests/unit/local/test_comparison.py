"""What differs between a run and its second time: causes come before effects, whatever differs beside."""

import json
from itertools import combinations

import pytest

from trimtab.api.provenance import (
    Bundle,
    Chosen,
    Code,
    DataVersion,
    Determinism,
    Hardware,
    Libraries,
    Lock,
    Provenance,
    Results,
)
from trimtab.local.reproduce.comparison import differences

CHOSEN = Chosen(
    family="gradient_boosting",
    params={"learning_rate": 0.1},
    trial=3,
    trials=8,
    seed=7,
    metric="log_loss",
    value=0.5,
)
RECORDED = Provenance(
    project="flights",
    recorded_at="2024-01-01T00:00:00+00:00",
    until="2024-01-01T00:00:00+00:00",
    bundle=Bundle(name="flights-0a0a", digest="0a0a", files={"model.py": "0b"}),
    code=Code(),
    data=(
        DataVersion(table="flights", version=3, rows=9, digest="d1", step="ingest"),
        DataVersion(table="departures", version=1, rows=9, digest="d2", step="build", reads={"flights": "flights@3"}),
        DataVersion(table="_features/departures", version=7, rows=9, digest="d3", step="featurize",
                    reads={"departures": "departures@1", "flights": "flights@3"}),
    ),
    lock=Lock(file="uv.lock", digest="a1"),
    libraries=Libraries(digest="l", python="3.11.7", trimtab="t", packages={"numpy": "2.3.1", "duckdb": "2.0.0"}),
    hardware=Hardware(cpu="Xeon", architecture="x86_64", cores=2, memory_bytes=1),
    determinism=Determinism(seed=7, variables={"OMP_NUM_THREADS": "2"}),
    chosen=CHOSEN,
    results=Results(
        trained="t", fitted="f", files={"model.onnx": "m", "plan.json": "p"}, exported="e", predictions="p"
    ),
)  # fmt: skip


def changed(field, **values):
    def change(made):
        return made.model_copy(update={field: getattr(made, field).model_copy(update=values)})

    return change


def table(place, digest):
    def change(made):
        data = list(made.data)
        data[place] = data[place].model_copy(update={"digest": digest})
        return made.model_copy(update={"data": tuple(data)})

    return change


def result(**values):
    return changed("results", **values)


CHANGES = {
    ("libraries", "numpy"): changed("libraries", packages={"numpy": "2.4.0", "duckdb": "2.0.0"}),
    ("libraries", "uv.lock"): changed("lock", digest="a2"),
    ("hardware", "cpu"): changed("hardware", cpu="EPYC"),
    ("determinism", "OMP_NUM_THREADS"): changed("determinism", variables={"OMP_NUM_THREADS": "8"}),
    ("search", "learning_rate"): lambda made: made.model_copy(
        update={"chosen": CHOSEN.model_copy(update={"params": {"learning_rate": 0.2}})}
    ),
    ("tables", "departures"): table(1, "x"),
    ("features", "_features/departures"): table(2, "x"),
    ("trained model", "answers on the validation rows"): result(trained="x"),
    ("fitted model", "answers"): result(fitted="x"),
    ("exported file", "model.onnx"): result(files={"model.onnx": "x", "plan.json": "p"}),
    ("predictions", "answers"): result(predictions="x"),
}
"""In order of causes."""


def again(*changes):
    made = RECORDED
    for change in changes:
        if change in list(CHANGES.values())[7:]:  # results are one field: keep what was changed before
            fresh = change(RECORDED).results
            now = {
                name: getattr(fresh, name)
                for name in type(fresh).model_fields
                if getattr(fresh, name) != getattr(RECORDED.results, name)
            }
            made = changed("results", **now)(made)
        else:
            made = change(made)
    from trimtab.local.reproduce.reproduce import Reproduction

    return Reproduction("r", RECORDED, made, differences(RECORDED, made), 1.0)


def test_a_run_that_came_out_alike_is_identical():
    made = again()
    assert made.identical
    assert made.first is None


@pytest.mark.parametrize("named", list(CHANGES)[:5])
def test_surroundings_that_differ_to_no_effect_leave_it_identical_and_are_told(named):
    made = again(CHANGES[named])
    assert made.identical
    assert [(one.cause, one.what) for one in made.differences] == [named]


@pytest.mark.parametrize("named", list(CHANGES)[5:])
def test_a_result_that_differs_is_named(named):
    made = again(CHANGES[named])
    assert not made.identical
    assert (made.first.cause, made.first.what) == named


@pytest.mark.parametrize(("first", "second"), list(combinations(CHANGES, 2)))
def test_of_two_things_the_cause_is_named_before_the_effect(first, second):
    made = again(CHANGES[second], CHANGES[first])
    assert [(one.cause, one.what) for one in made.differences] == [first, second]


def test_a_package_that_came_or_went_is_told_as_none():
    made = again(changed("libraries", packages={"duckdb": "2.0.0", "polars": "2.1"}))
    assert [str(one) for one in made.differences] == [
        "libraries: numpy: was 2.3.1, is none",
        "libraries: polars: was none, is 2.1",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (changed("determinism", threads={"torch": "4"}), "determinism: threads of torch: was none, is 4"),
        (changed("determinism", torch={"cudnn.benchmark": "true"}), "determinism: cudnn.benchmark: was none, is true"),
        (changed("hardware", devices=("cpu AVX2",)), "hardware: devices: was none, is cpu AVX2"),
        (changed("hardware", workers="here"), "hardware: workers: was none, is here"),
        (lambda made: made.model_copy(update={"image": "ml@sha256:0a"}), "libraries: image: was none, is ml@sha256:0a"),
        (
            lambda made: made.model_copy(update={"chosen": CHOSEN.model_copy(update={"family": ""})}),
            "search: model: was gradient_boosting, is the project's model.py",
        ),
    ],
)  # fmt: skip
def test_what_the_fit_had_around_it_is_told(change, told):
    assert [str(one) for one in again(change).differences] == [told]


def test_a_run_without_a_record_of_what_its_search_chose_names_what_was_found_now():
    before = RECORDED.model_copy(update={"chosen": None})
    told = [str(one) for one in differences(before, RECORDED)]
    assert told == [
        "search: model: was none, is gradient_boosting",
        "search: learning_rate: was none, is 0.1",
    ]


def test_a_lock_file_of_another_kind_is_told_as_one_gone_and_one_come():
    made = again(lambda made: made.model_copy(update={"lock": Lock(file="pylock.toml", digest="a1")}))
    assert [str(one) for one in made.differences] == [
        "libraries: uv.lock: was a1, is none",
        "libraries: pylock.toml: was none, is a1",
    ]


def test_a_record_from_before_lock_files_is_read_as_one_without():
    told = json.loads(RECORDED.to_json())
    del told["lock"]
    assert Provenance.from_json(json.dumps(told)) == RECORDED.model_copy(update={"lock": Lock()})


def test_it_survives_its_own_json():
    assert Provenance.from_json(RECORDED.to_json()) == RECORDED
    assert RECORDED.sources()["flights"].version == 3
