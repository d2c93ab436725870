"""Alerts and dashboards name only metrics and labels that the three processes expose, and each alert its runbook."""

import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ALERTS = yaml.safe_load((ROOT / "helm/trimtab/files/alerts.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
TARGET = {"namespace", "pod", "job", "instance", "container", "service"}
"""Labels that Prometheus gives to what it scrapes."""
SELECTED = re.compile(r"\b(trimtab_\w+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture(scope="module")
def exposed():
    """Series to labels, of what docs/reference/metrics.md lists."""
    sys.path.insert(0, str(ROOT / "docs"))
    from metrics_page import TITLES, families, metrics_page

    page, found = metrics_page(), {}
    for family in (one for process in TITLES for one in families(process)):
        assert f"| `{family.name}` | {family.kind} |" in page
        found |= {name: {*family.labels, "le"} for name in family.series}
    assert len(found) > 40
    return found


def queries():
    sys.path.insert(0, str(ROOT / "helm"))
    from dashboards import queries

    return sorted({*queries(), *(rule["expr"] for rule in RULES)})


@pytest.mark.parametrize("query", queries())
def test_a_query_names_what_is_exposed(exposed, query):
    used = SELECTED.findall(query)
    assert used
    for metric, selectors in used:
        assert metric in exposed, f"nothing exposes {metric}"
        labels = set(re.findall(r"(\w+)\s*[=!]", selectors))
        assert labels <= exposed[metric] | TARGET, f"{metric} has no {labels - exposed[metric]}"
    known = set().union(*(exposed[metric] for metric, _ in used)) | TARGET
    for group in GROUPED.findall(query):
        assert {one.strip() for one in group.split(",")} <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_helps(exposed, rule):
    assert set(rule["annotations"]) == {"summary", "description"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    metrics = [metric for metric, _ in SELECTED.findall(rule["expr"])]
    grouped = [{one.strip() for one in group.split(",")} for group in GROUPED.findall(rule["expr"])]
    kept = set().union(*grouped) if grouped else set().union(*(exposed[one] for one in metrics)) | TARGET
    said = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert said <= kept, f"its sentences name {said - kept}, which its query drops"


COMMAND = re.compile(r"(?:kubectl trimtab|trimtab|kubectl) ([a-z]+)(?: ([a-z]+))?")
OF_KUBECTL = {"get", "describe", "logs", "rollout"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_a_command_that_exists(rule):
    """Whoever is woken has the description alone, where no runbook is published."""
    from typer.main import get_command

    from trimtab.cli.app import build as laptop
    from trimtab.cli.kubectl import build as cluster

    verbs = {"trimtab": get_command(laptop()).commands, "kubectl trimtab": get_command(cluster()).commands}
    said = rule["annotations"]["description"]
    named = list(COMMAND.finditer(said))
    assert named, said
    for command in named:
        program = command[0][: command.start(1) - command.start()].strip()
        if program == "kubectl":
            assert command[1] in OF_KUBECTL, said
        else:
            verb = verbs[program][command[1]]
            assert command[2] in verb.commands if hasattr(verb, "commands") else True, said


def test_the_runbook_has_a_section_of_each_alert_and_of_no_other():
    page = (ROOT / "docs" / "runbook.md").read_text()
    sections = set(re.findall(r"^### (Trimtab\w+)$", page, re.MULTILINE))
    assert sections == {rule["alert"] for rule in RULES}
