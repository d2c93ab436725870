"""The whole loop over April to mid-June and December of 2013, through the installed wheel: what came of it."""

import re
import sqlite3
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.xdist_group("local")

STEPS = {"ingest", "build", "validate", "featurize", "train", "evaluate", "export", "register", "report"}


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def test_it_ends_well_and_says_where_to_look(demo):
    assert demo.done.returncode == 0, demo.done.stdout[-4000:] + demo.done.stderr[-4000:]
    assert str(demo.folder / "report.html") in demo.done.stdout
    assert str(demo.folder / "result.json") in demo.done.stdout


def test_off_a_terminal_it_tells_in_plain_lines(demo):
    told = demo.done.stdout + demo.done.stderr
    assert "\x1b" not in told
    assert "Traceback" not in told
    assert demo.done.stderr == ""


def test_no_request_failed(demo):
    requests = demo.result["requests"]
    assert requests["failed"] == 0
    assert requests["served"] > 30_000
    assert demo.result["predictions"] > 2 * requests["served"]


def test_no_event_was_lost(demo):
    events = demo.result["events"]
    assert events["lost"] == 0
    assert events["received"] == events["sent"]
    assert events["sent"] > demo.result["requests"]["served"], "copies are events too"


def test_performance_drift_is_noticed_in_april(demo):
    first = demo.result["drift"]["episodes"][0]
    assert first["cause"] == "performance"
    assert at(first["openedAt"]).strftime("%Y-%m") == "2013-04"
    assert at(demo.result["retrainings"][0]["claimedAt"]) >= at(first["openedAt"])


def test_a_retrained_model_is_promoted_by_mid_june(demo):
    first, second = demo.result["promotions"][:2]
    assert first["name"] == "v1"
    assert second["name"] != "v1"
    assert at("2013-05-01T00:00:00Z") < at(second["at"]) < at("2013-06-17T00:00:00Z")
    promoted = next(run for run in demo.result["retrainings"] if f"v{run['version']}" == second["name"])
    assert promoted["outcome"] == "Promoted"


def test_it_went_through_shadow_and_both_canaries(demo):
    promoted = demo.result["promotions"][1]["revision"]
    stages = [
        "shadow" if one["mirror"] == promoted else one["weights"].get(promoted, 0)
        for one in demo.story["traffic"]
        if one["mirror"] == promoted or promoted in one["weights"]
    ]
    assert stages[:4] == ["shadow", 20, 50, 100]


def test_the_december_candidate_is_refused_in_shadow(demo):
    forced = demo.result["revisions"][-1]
    refused = demo.result["refusals"][-1]
    assert (refused["by"], refused["name"]) == ("rollout", forced["name"])
    assert at(refused["at"]).strftime("%Y-%m") == "2013-12"
    assert re.match("Inconclusive after|.*Fail|.*worse", refused["because"])
    assert not any(forced["revision"] in one["weights"] for one in demo.story["traffic"])


def test_a_model_refused_by_its_gate_never_saw_a_request(demo):
    refused = [one for one in demo.result["refusals"] if one["by"] == "gate"]
    served = {revision for one in demo.story["traffic"] for revision in one["weights"]}
    assert refused
    for one in refused:
        version = next(v for v in demo.result["revisions"] if v["name"] == one["name"])
        assert version["revision"] is None or version["revision"] not in served


def test_weights_sum_to_a_hundred_at_every_change(demo):
    assert [sum(one["weights"].values()) for one in demo.story["traffic"]] == [100] * len(
        demo.story["traffic"]
    )


def test_every_version_has_its_lineage_and_metrics(demo):
    for version in demo.result["revisions"]:
        assert at(version["trained_from"]) < at(version["trained_to"])
        assert set(version["metrics"]) == {"log_loss", "roc_auc", "brier_score"}
        assert version["bundle"].startswith("flights-")
        assert int(version["rows"]) > 10_000
        assert version["because"]


def test_the_registry_holds_what_the_result_says(demo):
    tags = {}
    with sqlite3.connect(demo.state / "mlflow" / "mlflow.db") as registry:
        for version, key, value in registry.execute("select version, key, value from model_version_tags"):
            tags.setdefault(f"v{version}", {})[key] = value
    assert list(tags) == [one["name"] for one in demo.result["revisions"]]
    wanted = {
        "digest",
        "bundle",
        "rows",
        "run",
        "seed",
        "lock",
        "transform.digest",
        "until",
        "learned.from",
        "learned.to",
    }
    for held in tags.values():
        assert {f"trimtab.{name}" for name in wanted} <= set(held)
        folder = demo.state / "models" / held["trimtab.digest"][:16]
        assert (folder / "model.onnx").is_file()
        assert (folder / "profile.json").is_file()


def test_no_run_read_past_its_until(demo):
    with sqlite3.connect(demo.state / "mlflow" / "mlflow.db") as registry:
        held = dict(
            registry.execute("select version, value from model_version_tags where key = 'trimtab.until'")
        )
        learned = dict(
            registry.execute("select version, value from model_version_tags where key = 'trimtab.learned.to'")
        )
    assert held
    assert all(at(learned[version]) < at(until) for version, until in held.items())


def test_each_month_lived_has_its_figures(demo):
    months = {one["month"] for one in demo.result["monthly"]}
    assert months == {"2013-04", "2013-05", "2013-06", "2013-11", "2013-12"}
    for one in demo.result["monthly"]:
        if one["rows"] >= 1000:
            assert 0.5 < one["roc_auc"] < 0.9
            assert 0.2 < one["log_loss"] < 0.8


def test_memory_stays_within_four_gib(demo):
    assert 0 < demo.result["peak_memory_mb"] <= 4096


def test_nothing_is_left_running(demo):
    assert demo.survivors == []


def test_it_writes_nowhere_but_in_its_folder(demo):
    assert list(demo.cwd.iterdir()) == []
    assert [str(path) for path in demo.installed.scratch.rglob("*") if path.is_file()] == []
    assert [str(path) for path in demo.installed.home.rglob("*") if path.is_file()] == []


def test_no_process_logged_a_traceback(demo):
    logs = [*demo.state.glob("plane/logs/*.log"), *demo.state.glob("runs/**/*.log")]
    assert logs
    assert [str(log) for log in logs if "Traceback" in log.read_text(errors="replace")] == []


class Page(HTMLParser):
    """What a page fetches, and its words."""

    def __init__(self):
        super().__init__()
        self.fetched, self.words = [], []

    def handle_starttag(self, tag, attributes):
        held = dict(attributes)
        if tag in ("script", "img", "link", "iframe"):
            self.fetched.append(held.get("src") or held.get("href"))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def page(demo):
    page = Page()
    page.feed(demo.report)
    return page


def test_the_report_stands_alone(demo, page):
    assert [one for one in page.fetched if one and not one.startswith(("data:", "#"))] == []
    assert not re.search(r"url\(['\"]?https?:", demo.report)


def test_the_report_tells_the_story(demo, page):
    words = " ".join(page.words)
    named = [one["name"] for kind in ("promotions", "refusals") for one in demo.result[kind]]
    assert [name for name in named if not re.search(rf"\b{name}\b", words)] == []
    assert not re.search(r"\b(undefined|NaN|nan)\b|> *None *<", words + demo.report)
