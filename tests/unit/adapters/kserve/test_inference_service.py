"""A revision's InferenceService is built from the template alone, and always fits KServe's limits."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.children import REVISION, ROLLOUT, Place, cut
from trimtab.adapters.kserve import Serving, TemplateRefused, judge_template, template_text
from trimtab.adapters.kserve.checked import digest_fact
from trimtab.adapters.kserve.inference_service import inference_service, scaled, template_of
from trimtab.adapters.kserve.names import service_name
from trimtab.adapters.kserve.storage import NotServable, judge_uri
from trimtab.adapters.kserve.told import Told, told_by_container
from trimtab.api.errors import InputRefused
from trimtab.ports.servers import Revision

PLACE = Place("ml", "flights", "uid-1", "rollouts")
REVISION_3 = Revision("0123abcd", "3", "s3://models/flights/3", "ab" * 32)
SKLEARN = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "args": ["--workers=1"]}}}
OWN = {
    "predictor": {
        "minReplicas": 2,
        "maxReplicas": 3,
        "containers": [
            {"image": "registry/server:1", "command": ["python", "-m", "trimtab.bootstrap.serving"]}
        ],
    }
}
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")

names = st.text(min_size=1, max_size=80)
namespaces = st.from_regex(r"[a-z]([a-z0-9-]{0,33}[a-z0-9])?", fullmatch=True)
revisions = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)


def built(template, told=Told.MODEL_NAME, **serving):
    return inference_service(PLACE, Serving("flights", template, **serving), REVISION_3, told)


@pytest.mark.parametrize(
    ("told", "digest", "expected"),
    [
        (Told.OWN, "ab" * 32, ("True", "ByServer")),
        (Told.OWN, hashlib.sha256(b"s3://models/flights/3").hexdigest(), ("False", "NoDigest")),
        (Told.MODEL_NAME, "ab" * 32, ("False", "NotByRuntime")),
        (Told.MLSERVER, "ab" * 32, ("False", "NotByRuntime")),
        (Told.SERVED_MODEL_NAME, "ab" * 32, ("False", "NotByRuntime")),
    ],
)
def test_who_checks_the_digest_is_said_and_is_so(told, digest, expected):
    revision = Revision("0123abcd", "3", "s3://models/flights/3", digest)
    fact = digest_fact(revision, told)
    assert (fact.status, fact.reason) == expected
    made = inference_service(PLACE, Serving("flights", OWN), revision, told)
    arguments = made["spec"]["predictor"]["containers"][0].get("args", [])
    assert (f"--digest={digest}" in arguments) == (fact.status == "True")


@given(names, namespaces, revisions, st.booleans())
def test_whatever_the_rollout_s_name_kserve_s_own_names_fit_a_dns_label(
    name, namespace, revision, transformer
):
    found = service_name(Place(namespace, name), revision, transformer=transformer)
    component = "transformer" if transformer else "predictor"
    assert len(f"{found}-{component}-{namespace}") <= 63
    assert DNS_LABEL.fullmatch(found)
    assert found.endswith(f"-{revision}")


@given(names, names, st.integers(6, 63))
def test_two_names_never_become_one(first, second, most):
    assert (cut(first, most) == cut(second, most)) == (first == second)
    assert len(cut(first, most)) <= most


def test_a_namespace_that_leaves_no_room_is_refused_with_the_length_that_would():
    with pytest.raises(InputRefused, match="one DNS label") as refused:
        service_name(Place("n" * 50, "flights"), "0123abcd", transformer=False)
    assert "at most 37" in str(refused.value.remedy)


def test_it_is_hidden_from_kserve_s_own_routes_in_standard_mode_and_says_what_it_is():
    meta = built(SKLEARN)["metadata"]
    assert meta["labels"]["networking.kserve.io/visibility"] == "cluster-local"
    assert (meta["labels"][ROLLOUT], meta["labels"][REVISION]) == ("flights", "0123abcd")
    assert meta["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    assert meta["annotations"]["trimtab.dev/model-digest"] == "ab" * 32
    assert [owner["uid"] for owner in meta["ownerReferences"]] == ["uid-1"]


def test_the_served_name_comes_last_so_that_it_wins():
    model = built(SKLEARN)["spec"]["predictor"]["model"]
    assert model["args"] == ["--workers=1", "--model_name=flights"]
    assert model["storageUri"] == "s3://models/flights/3"


@pytest.mark.parametrize(
    ("container", "told"),
    [
        ({"args": ["--model_name={{.Name}}"]}, Told.MODEL_NAME),
        ({}, Told.MODEL_NAME),
        ({"env": [{"name": "MLSERVER_HTTP_PORT", "value": "8080"}]}, Told.MLSERVER),
        ({"args": ["--served-model-name", "x"]}, Told.SERVED_MODEL_NAME),
        ({"image": "vllm/vllm-openai:v1"}, Told.SERVED_MODEL_NAME),
        ({"command": ["python", "-m", "trimtab.bootstrap.serving"]}, Told.OWN),
    ],
)
def test_a_server_is_told_its_name_the_way_that_its_container_shows(container, told):
    assert told_by_container(container) is told


def test_mlserver_is_told_by_a_variable_in_place_of_what_the_template_says():
    env = [{"name": "MLSERVER_MODEL_NAME", "value": "other"}, {"name": "A", "value": "1"}]
    template = {"predictor": {"model": {"modelFormat": {"name": "mlflow"}, "env": env}}}
    model = built(template, Told.MLSERVER)["spec"]["predictor"]["model"]
    assert model["env"] == [{"name": "A", "value": "1"}, {"name": "MLSERVER_MODEL_NAME", "value": "flights"}]
    assert "args" not in model


def test_a_stock_server_is_logged_by_the_agent_and_our_own_logs_itself():
    logger = built(SKLEARN)["spec"]["predictor"]["logger"]
    assert logger["url"] == "http://trimtab-collector.ml.svc"
    assert "X-Request-Id" in logger["metadataHeaders"]
    own = built(OWN, Told.OWN)["spec"]["predictor"]
    assert "logger" not in own
    args = own["containers"][0]["args"]
    assert "--sink=http://trimtab-collector.ml.svc" in args
    assert {"--revision=0123abcd", f"--digest={'ab' * 32}", "--namespace=ml"} <= set(args)


def test_a_stream_is_not_logged_unless_the_template_asks():
    assert "logger" not in built(SKLEARN, Told.SERVED_MODEL_NAME)["spec"]["predictor"]
    asked = {"predictor": {**SKLEARN["predictor"], "logger": {"mode": "request"}}}
    assert built(asked, Told.SERVED_MODEL_NAME)["spec"]["predictor"]["logger"] == {"mode": "request"}


def test_with_a_transformer_both_serve_the_name_and_only_the_entry_is_logged():
    template = {**SKLEARN, "transformer": {"containers": [{"image": "t:1"}, {"image": "sidecar:1"}]}}
    spec = built(template)["spec"]
    assert spec["transformer"]["containers"][0]["args"] == ["--model_name=flights"]
    assert "args" not in spec["transformer"]["containers"][1]
    assert "logger" in spec["transformer"]
    assert "logger" not in spec["predictor"]
    assert "STORAGE_URI" not in str(spec["transformer"])


@given(st.floats(0, 300), st.floats(0, 3600))
def test_a_server_answers_until_gateways_have_settled_and_then_drains(settle_s, drain_s):
    predictor = built(SKLEARN, settle_s=settle_s, drain_s=drain_s)["spec"]["predictor"]
    sleep_s = predictor["model"]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep_s >= max(15, settle_s)
    assert predictor["terminationGracePeriodSeconds"] >= sleep_s + drain_s


@given(st.integers(0, 40), st.integers(0, 40))
def test_replicas_grow_to_what_is_asked_and_come_back_to_what_was_rendered(least, then):
    first = built(OWN, Told.OWN)
    predictor = scaled(first, least)["spec"]["predictor"]
    assert predictor["minReplicas"] == max(2, least)
    assert predictor["maxReplicas"] >= max(3, predictor["minReplicas"])
    assert scaled(scaled(first, least), then) == scaled(first, then)
    assert scaled(scaled(first, least), 0) == first


def test_building_leaves_the_template_as_it_was_and_gives_the_same_again():
    before = template_text(OWN)
    assert built(OWN, Told.OWN) == built(OWN, Told.OWN)
    assert template_text(OWN) == before


def test_the_template_s_text_does_not_depend_on_the_order_of_keys():
    assert template_text({"a": 1, "b": {"c": "ü"}}) == template_text({"b": {"c": "ü"}, "a": 1})


@pytest.mark.parametrize(
    ("template", "word"),
    [
        ({}, "predictor is missing"),
        ({"predictor": []}, "no mapping"),
        ({"predictor": {"sklearn": {}}}, "either model or containers"),
        ({"predictor": {"model": {}, "containers": [{}]}}, "either model or containers"),
        ({"predictor": {"model": {"storageUri": "s3://x"}}}, "each revision's own"),
        ({"predictor": {"containers": []}}, "no list of containers"),
        ({"predictor": {"containers": "x"}}, "no list of containers"),
        ({**SKLEARN, "explainer": {}}, "'explainer' cannot stand there"),
        ({**SKLEARN, "transformer": {}}, "transformer needs containers"),
        ({**SKLEARN, "metadata": {"name": "x"}}, "metadata.name cannot be set"),
    ],
)
def test_a_template_that_nothing_could_serve_is_refused_with_the_reason(template, word):
    with pytest.raises(TemplateRefused, match=word):
        judge_template(template)


@pytest.mark.parametrize(
    "uri", ["s3://b/k", "gs://b/k", "pvc://claim/path", "hf://o/m", "https://h/m", "oci://r/m"]
)
def test_what_pods_can_fetch_is_taken(uri):
    judge_uri(uri)


@pytest.mark.parametrize(
    "uri", ["mlflow-artifacts:/1/a", "models:/flights/3", "file:///m", "/models/3", "http://h/m", "ftp://h/m"]
)
def test_what_pods_cannot_fetch_is_refused_with_a_remedy(uri):
    with pytest.raises(NotServable, match="cannot fetch") as refused:
        judge_uri(uri)
    assert refused.value.remedy


def test_the_template_of_an_existing_service_has_nothing_of_a_revision():
    assert "storageUri" not in template_of(built(SKLEARN))["predictor"]["model"]
