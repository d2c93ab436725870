"""The chart without a cluster: what it renders, and what it refuses."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster.control_plane.chart.release import CHART, ROOT, SYSTEM, named
from tests.cluster.control_plane.chart.values_sets import SETS
from tests.cluster.kube.manifests import parsed

pytestmark = pytest.mark.xdist_group("chart")
SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture(params=SETS)
def values_set(request, tmp_path):
    """(its name, its file)"""
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(dict(SETS[request.param])))
    return request.param, str(path)


def test_lint_has_nothing_to_say(bare_helm, values_set):
    _, values = values_set
    said = bare_helm.done("lint", "--strict", str(CHART), "-f", values)
    assert not re.search(r"\[(WARNING|ERROR|INFO)\]", said), said


def test_what_is_rendered_is_as_was_agreed(bare_helm, values_set):
    """TRIMTAB_SNAPSHOTS=write writes it anew; a reader of the change sees what it does to an installation."""
    name, values = values_set
    objects = [one for one in bare_helm.template("-f", values) if one["kind"] != "CustomResourceDefinition"]
    for one in objects:
        if "grafana_dashboard" in one["metadata"].get("labels", {}):
            one["data"] = dict.fromkeys(one["data"], "a dashboard")
    text = yaml.safe_dump_all(objects, sort_keys=True, width=110)
    path = SNAPSHOTS / f"{name}.yaml"
    if os.environ.get("TRIMTAB_SNAPSHOTS") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_manifests_are_what_the_chart_renders(bare_helm):
    sys.path.insert(0, str(ROOT / "manifests"))
    import render

    for path, text in render.rendered(bare_helm.program).items():
        assert path.read_text() == text, f"{path.name} is stale: run `make manifests`"
    assert render.check() == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("replica=1", "replica"),
        ("image.repo=x", "repo"),
        ("config.collector.storag=1Gi", "storag"),
        ("config.providers.mlfow=x", "mlfow"),
        ("monitoring.monitors=sometimes", "monitors"),
        ("replicas=0", "replicas"),
        ("namespaces={*}", "namespaces"),
        ("config.tick=soon", "tick"),
    ],
)
def test_a_typo_in_the_values_is_refused_by_its_name(bare_helm, wrong, said):
    refused = bare_helm.refused("template", "trimtab", str(CHART), "-n", SYSTEM, "--set", wrong)
    assert "don't meet the specifications of the schema" in refused
    assert said in refused


def test_every_node_of_the_schema_says_what_it_means():
    """An editor shows it beside the key; of each field of an item, too."""

    def silent(node, path):
        if path and not node.get("description"):
            yield ".".join(path)
        for key, inner in node.get("properties", {}).items():
            yield from silent(inner, (*path, key))
        for key, inner in node.get("items", {}).get("properties", {}).items():
            yield from silent(inner, (*path, "[]", key))

    schema = json.loads((CHART / "values.schema.json").read_text())
    assert len(schema["properties"]) > 20
    assert list(silent(schema, ())) == []


def test_every_value_is_used_by_a_template():
    sys.path.insert(0, str(ROOT / "docs"))
    from chart_page import read_values

    templates = "\n".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())

    def leaves(values):
        for one in values:
            if one.path[0] != "config":
                yield from leaves(one.inner) if one.inner else [".".join(one.path)]

    unused = [
        path for path in leaves(read_values(CHART / "values.yaml")) if f".Values.{path}" not in templates
    ]
    assert unused == []
    assert ".Values.config" in templates


def test_the_configuration_is_one_that_the_operator_takes(bare_helm, values_set, tmp_path):
    from operators.drift.config import load

    name, values = values_set
    objects = bare_helm.template("-f", values)
    operator = "ours-operator" if name == "everything" else "trimtab-operator"
    file = tmp_path / "config.yaml"
    file.write_text(named(objects, "ConfigMap", operator)["data"]["config.yaml"])
    found = load(file)
    deployment = named(objects, "Deployment", operator)
    assert found.collector.image == deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert (found.lease.name, found.lease.namespace) == (operator, SYSTEM)
    image = SETS[name].get("image", {})
    collector = found.collector.settings(SYSTEM)
    assert collector.fence is not None
    assert list(collector.image_pull_secrets) == image.get("pullSecrets", [])
    assert collector.image_pull_policy == image.get("pullPolicy", "IfNotPresent")
    assert collector.node_selector == SETS[name].get("config", {}).get("collector", {}).get(
        "nodeSelector", {}
    )
    assert list(found.namespaces) == list(SETS[name].get("namespaces", ()))


def test_two_releases_share_no_object_and_each_serves_its_own_models(bare_helm):
    def rendered(release, namespace, watched):
        said = bare_helm.done(
            "template", release, str(CHART), "-n", namespace,
            "--set", f"namespaces={{{watched}}},crds.install=false,servingRuntime.create=always",
        )  # fmt: skip
        return parsed(said)

    def names(objects):
        return {
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in objects
        }

    first, second = rendered("trimtab", SYSTEM, "shop"), rendered("second", "team-b", "team-b")
    assert names(first) & names(second) == set()
    runtimes = [[(k, n) for k, n, _ in names(one) if "ServingRuntime" in k] for one in (first, second)]
    assert runtimes == [[("ServingRuntime", "shop")], [("ServingRuntime", "team-b")]]
    whole = names(bare_helm.template("--set", "servingRuntime.create=always"))
    assert ("ClusterServingRuntime", "", "trimtab") in whole


def test_rights_are_those_of_the_table(bare_helm):
    from operators.drift import rbac

    def rules(objects):
        return {
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): sorted(
                map(str, one["rules"])
            )
            for one in objects
            if "rules" in one and not one["metadata"]["name"].endswith(("-view", "-edit"))
        }

    assert rules(bare_helm.template()) == rules(rbac.cluster_wide())
    some = bare_helm.template("--set", "namespaces={shop,team-b}")
    assert rules(some) == rules(rbac.namespaced(["shop", "team-b"]))


def test_a_change_of_the_configuration_rolls_the_pods(bare_helm):
    def pod(*more):
        return named(bare_helm.template(*more), "Deployment")["spec"]["template"]["metadata"]["annotations"]

    assert pod() != pod("--set", "config.tick=5s")


def test_crds_are_kept_or_not_as_told(bare_helm):
    def crds(*more):
        return [one for one in bare_helm.template(*more) if one["kind"] == "CustomResourceDefinition"]

    assert len(crds()) == 3
    assert all(one["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for one in crds())
    assert all("annotations" not in one["metadata"] for one in crds("--set", "crds.keep=false"))
    assert crds("--set", "crds.install=false") == []


def test_alerts_lead_to_a_runbook_where_one_is_published_and_nowhere_else(bare_helm):
    def links(*more):
        made = bare_helm.template("--set", "monitoring.alerts=always", *more)
        groups = named(made, "PrometheusRule")["spec"]["groups"]
        return [rule["annotations"].get("runbook_url") for group in groups for rule in group["rules"]]

    assert set(links()) == {None}
    published = links("--set", "monitoring.runbook=https://wiki.example.com/trimtab")
    assert "https://wiki.example.com/trimtab#trimtabrunsfail" in published
    assert None not in published


def test_dashboards_are_json_that_grafana_imports(bare_helm):
    made = [one for one in bare_helm.template("--set", "monitoring.dashboards=true")
            if "grafana_dashboard" in one["metadata"].get("labels", {})]  # fmt: skip
    pages = [json.loads(text) for one in made for text in one["data"].values()]
    assert {page["title"] for page in pages} == {
        "trimtab: model health", "trimtab: drift", "trimtab: rollouts", "trimtab: retraining",
    }  # fmt: skip
    for page in pages:
        assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in page["panels"]]
        assert len(set(places)) == len(places)
        assert all(p["description"] and p["targets"] for p in page["panels"])
