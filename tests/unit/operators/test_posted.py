"""Events as a policy keeps them: the newest of each type that it waits for, and nothing else."""

import json
from datetime import UTC, datetime

import pytest

from trimtab.adapters.kubernetes.posted import POSTED, noted, posted, waits_for
from trimtab.ports.posted import Posted

AT = datetime(2026, 3, 1, tzinfo=UTC)


def policy(annotation=None, types=("a", "b")):
    triggers = [{"name": f"t{n}", "event": {"type": type}} for n, type in enumerate(types)]
    annotations = {} if annotation is None else {POSTED: annotation}
    return {"metadata": {"annotations": annotations}, "spec": {"triggers": [{"name": "x"}, *triggers]}}


def test_the_newest_of_each_type_is_kept_and_the_same_again_changes_nothing():
    first = noted(policy(), Posted("1", "a", AT))
    second = noted(policy(first), Posted("2", "b", AT))
    third = noted(policy(second), Posted("3", "a", AT))
    assert {type: one.id for type, one in posted(policy(third)).items()} == {"a": "3", "b": "2"}
    assert posted(policy(third))["a"].at == AT
    assert noted(policy(third), Posted("3", "a", AT)) is None


def test_what_no_trigger_names_any_more_is_let_go():
    both = noted(policy(noted(policy(), Posted("1", "a", AT))), Posted("2", "b", AT))
    assert set(json.loads(noted(policy(both, types=("b",)), Posted("3", "b", AT)))) == {"b"}
    assert waits_for(policy(types=())) == set()


@pytest.mark.parametrize(
    "garbage", ["", "[]", "7", '{"a": 1}', '{"a": {"id": 1}}', '{"a": {"id": 1, "at": "x"}}']
)
def test_an_annotation_that_somebody_wrote_is_as_if_it_were_not(garbage):
    assert posted(policy(garbage)) == {}
    assert set(json.loads(noted(policy(garbage), Posted("1", "a", AT)))) == {"a"}
