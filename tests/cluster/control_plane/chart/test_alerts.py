"""The alerts under Prometheus' own promtool: each is evaluated, and fires when it should and then alone."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster.control_plane.chart.release import CHART, ROOT

pytestmark = pytest.mark.xdist_group("chart")
CASES = sorted(Path(__file__).parent.glob("alerts_*test.yaml"))
ALERTS = CHART / "files" / "alerts.yaml"
FIRES = re.compile(r"alertname: (\w+)\n    exp_alerts:")


def promtool(*arguments, stdin=None):
    from tests.cluster.kube.binaries import binary

    return subprocess.run(
        [binary("promtool"), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_promtool_finds_nothing_to_say_of_the_rules():
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", str(ALERTS))
    assert said.returncode == 0, said.stdout + said.stderr


def test_each_alert_fires_when_it_should_and_not_before(tmp_path):
    """Labels and summary as they come; descriptions are left out, whose templates `check rules` reads."""
    rules = yaml.safe_load(ALERTS.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]["description"]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(rules))
    for cases in CASES:
        shutil.copy(cases, tmp_path)
    said = promtool("test", "rules", *(str(tmp_path / cases.name) for cases in CASES))
    assert said.returncode == 0, said.stdout + said.stderr


def test_no_alert_is_without_a_case_in_which_it_fires():
    alerts = {
        rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    }
    assert {name for cases in CASES for name in FIRES.findall(cases.read_text())} == alerts


def test_every_query_of_a_dashboard_is_promql(tmp_path):
    sys.path.insert(0, str(ROOT / "helm"))
    from dashboards import queries

    said = [query.replace("$__rate_interval", "5m").replace("$", "") for query in queries()]
    rules = [{"record": f"panel:{at}", "expr": query} for at, query in enumerate(said)]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    found = promtool("check", "rules", str(file))
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{len(said)} rules found" in found.stdout
