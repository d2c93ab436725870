"""What the models refuse the API server refuses, and the other way round; what it fills in is what they fill in."""

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from tests.cluster.control_plane.crd_objects import BAD, GOOD, changed
from tests.cluster.control_plane.crd_spoiled import all_fields, fields_of, spoiled
from trimtab.api.resources import RESOURCES, Resource
from trimtab.api.resources.crd import definition
from trimtab.ports.cluster import Refused

if TYPE_CHECKING:
    from tests.cluster.kube.direct import Direct

pytestmark = pytest.mark.usefixtures("trimtab_crds")

KINDS: dict[str, type[Resource]] = {resource.__name__: resource for resource in RESOURCES}
Json = dict[str, Any]
NEVER_GOOD = {"spec.checks.betterThanStableBy.percent"}
"""No metric takes it; that is in the table of what rules refuse."""


def schema_of(kind: str) -> Json:
    found = definition(KINDS[kind])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert isinstance(found, dict)
    return found


def model_refuses(obj: Json) -> str:
    try:
        KINDS[obj["kind"]].from_file(obj)
    except ValidationError as error:
        return str(error)
    return ""


def server_refuses(cluster: "Direct", namespace: str, obj: Json) -> str:
    try:
        create(cluster, namespace, obj)
    except Refused as refused:
        return str(refused) if refused.reason in ("Invalid", "BadRequest") else ""
    return ""


def create(cluster: "Direct", namespace: str, obj: Json, query: str = "?dryRun=All") -> Json:
    kind = KINDS[obj["kind"]]
    path = f"/apis/trimtab.dev/v1alpha1/namespaces/{namespace}/{kind.PLURAL}{query}"
    return cluster.call("POST", path, obj)


@pytest.mark.parametrize("obj", GOOD, ids=lambda obj: f"{obj['kind']}-{obj['metadata']['name'][:8]}")
def test_a_good_manifest_is_accepted_with_the_defaults_that_the_model_fills_in(cluster, namespace, obj):
    stored = create(cluster, namespace, obj)
    model = KINDS[obj["kind"]].from_file(obj)
    filled = model.spec.model_dump(mode="json", by_alias=True)
    assert stored["spec"] == kept(filled, obj["spec"])
    assert KINDS[obj["kind"]].from_wire(stored).spec == model.spec


def kept(filled: Any, written: Any) -> Any:
    """Without the nulls that nobody wrote: an absent field says the same."""
    if isinstance(filled, dict):
        written = written if isinstance(written, dict) else {}
        return {
            key: kept(value, written.get(key))
            for key, value in filled.items()
            if value is not None or key in written
        }
    if isinstance(filled, list):
        return [kept(value, None) for value in filled]
    return filled


@pytest.mark.parametrize("what", BAD)
def test_what_one_side_refuses_by_a_rule_the_other_refuses(cluster, namespace, what):
    base, edits = BAD[what]
    obj = changed(base, edits)
    assert not model_refuses(base)
    assert model_refuses(obj)
    assert server_refuses(cluster, namespace, obj)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_in_a_good_manifest_to_be_spoiled(kind):
    schema = schema_of(kind)
    there = set().union(*(fields_of(base, schema) for base in GOOD if base["kind"] == kind))
    assert set(all_fields(schema["properties"]["spec"])) - there <= NEVER_GOOD


@pytest.mark.parametrize("base", GOOD, ids=lambda obj: f"{obj['kind']}-{obj['metadata']['name'][:8]}")
def test_every_field_wrong_in_every_way_is_judged_alike(cluster, namespace, base):
    schema = schema_of(base["kind"])
    cases = dict(spoiled(base, schema))
    verdicts = {
        what: (bool(model_refuses(obj)), bool(server_refuses(cluster, namespace, obj)))
        for what, obj in cases.items()
    }
    assert {what: both for what, both in verdicts.items() if both != (True, True)} == {}
    assert len(cases) >= 20
