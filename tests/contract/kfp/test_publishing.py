"""`trimtab pipeline` against a server that speaks the published models and keeps state."""

import json
import shlex
from pathlib import Path

import pytest

from trimtab.cli.app import invoke

pytestmark = pytest.mark.xdist_group("kfp")

PROJECT = """
name: shop
sources: {customers: {files: customers.csv}}
examples: {label: {column: left}}
training: {resources: {cpu: 3, memory: 6Gi, gpu: 2}}
"""


@pytest.fixture
def api():
    from tests.cluster.control_plane.runs.kfp_api import KfpApi, serving

    with serving(KfpApi()) as served:
        yield served


@pytest.fixture
def shop(api, tmp_path, monkeypatch):
    """A project whose platform is the server; `place` writes that platform."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "trimtab.yaml").write_text(PROJECT)
    monkeypatch.chdir(folder)
    place(folder, {"pipelines": {"url": api.url}, "projects": (tmp_path / "projects").as_uri()})
    return folder


def place(folder: Path, platform: dict) -> None:
    (folder / "platform.yaml").write_text(json.dumps({"platforms": {"cluster": platform}}))


@pytest.fixture
def said(capsys):
    """Run the command; its exit status and what it said."""

    def run(*arguments):
        status = invoke(["pipeline", *arguments])
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


SUBMIT = ("submit", "--platform", "cluster")
SCHEDULE = ("schedule", "--platform", "cluster", "--cron")


def test_the_same_content_twice_is_one_version_and_each_submission_a_run(shop, said, api, tmp_path):
    status, first = said(*SUBMIT, "-p", "window=90d", "-p", "force_past_gate=true")
    assert status == 0, first
    assert first.startswith("uploaded: shop-training, version ")
    status, second = said(*SUBMIT)
    assert second.startswith("unchanged: shop-training, version ")
    (version,) = api.versions.values()
    asked = [run.runtime_config.parameters for run in api.runs.values()]
    (bundle,) = (tmp_path / "projects").iterdir()
    assert asked == [
        {"project": bundle.as_uri(), "window": "90d", "force_past_gate": True},
        {"project": bundle.as_uri()},
    ]
    used = {run.pipeline_version_reference.pipeline_version_id for run in api.runs.values()}
    assert used == {version.pipeline_version_id}
    assert {run.service_account for run in api.runs.values()} == {"trimtab-pipelines"}
    assert f"/#/runs/details/{next(iter(api.runs))}" in first


def test_other_resources_are_another_version_of_the_same_pipeline(shop, said, api):
    said(*SUBMIT, "--upload-only")
    (shop / "trimtab.yaml").write_text(PROJECT.replace("cpu: 3", "cpu: 4"))
    assert "uploaded" in said(*SUBMIT, "--upload-only")[1]
    assert len(api.versions) == 2
    assert len(api.pipelines) == 1
    assert api.runs == {}


def test_an_upload_whose_answer_is_lost_is_found_the_next_time(shop, said, api):
    api.faults = {"POST /pipelines/upload_version": ["lost"]}
    assert said(*SUBMIT, "--upload-only")[0] == 4
    assert "unchanged" in said(*SUBMIT, "--upload-only")[1]
    assert len(api.versions) == 1


@pytest.mark.parametrize("pipeline", ["training", "batch-prediction", "materialization"])
def test_every_pipeline_can_be_submitted_with_its_defaults(shop, said, api, pipeline):
    status, told = said("submit", pipeline, "--platform", "cluster")
    assert status == 0, told
    assert len(api.runs) == 1


def test_a_schedule_of_the_same_name_is_changed_and_not_doubled(shop, said, api):
    status, told = said(*SCHEDULE, "0 3 * * 1")
    assert status == 0, told
    (first,) = api.recurring.values()
    assert first.trigger.cron_schedule.cron == "0 0 3 * * 1"
    assert (first.mode, first.max_concurrency, first.no_catchup) == ("ENABLE", "1", True)
    assert "unchanged" in said(*SCHEDULE, "0 3 * * 1")[1]
    assert [*api.recurring.values()] == [first]
    assert "scheduled" in said(*SCHEDULE, "30 4 * * 7")[1]
    (second,) = api.recurring.values()
    assert second.trigger.cron_schedule.cron == "0 30 4 * * 0"
    assert said(*SCHEDULE, "0 5 * * *", "--as", "daily")[0] == 0
    assert {one.display_name for one in api.recurring.values()} == {"shop-training", "daily"}
    _, told = said("runs", "--platform", "cluster")
    assert "shop-training  0 30 4 * * 0" in told
    assert said("schedule", "--platform", "cluster", "--off") == (0, "shop-training: off\n")
    assert said("schedule", "--platform", "cluster", "--off") == (1, "shop-training: was not scheduled\n")
    assert {one.display_name for one in api.recurring.values()} == {"daily"}


def test_a_change_that_was_cut_short_is_finished_by_the_next(shop, said, api):
    said(*SCHEDULE, "0 3 * * *")
    api.faults = {"DELETE /recurringruns": ["500"]}
    assert said(*SCHEDULE, "0 4 * * *")[0] == 4
    assert len(api.recurring) == 2
    assert said(*SCHEDULE, "0 4 * * *")[0] == 0
    (held,) = api.recurring.values()
    assert held.trigger.cron_schedule.cron == "0 0 4 * * *"


def test_a_time_zone_that_the_server_does_not_read_in_is_refused(shop, said, api):
    status, told = said(*SCHEDULE, "0 3 * * *", "--time-zone", "Europe/Berlin")
    assert status == 2
    assert "CRON_SCHEDULE_TIMEZONE" in told
    assert api.calls == []
    place(shop, {"pipelines": {"url": api.url, "timeZone": "Europe/Berlin"}, "projects": shop.as_uri()})
    assert said(*SCHEDULE, "0 3 * * *", "--time-zone", "Europe/Berlin")[0] == 0


def test_a_pipeline_of_another_project_is_left_alone(shop, said, api):
    api.pipelines["shop-training"] = "p1"
    api.described["p1"] = "trimtab project bakery: bread"
    status, told = said(*SUBMIT)
    assert status == 2
    assert "trimtab project bakery" in told
    assert "--name" in told
    assert api.versions == api.runs == {}
    assert said(*SUBMIT, "--name", "shop-2-training")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((*SUBMIT, "-p", "windw=90d"), "did you mean 'window'?"),
        ((*SUBMIT, "-p", "force_past_gate=perhaps"), "true or false"),
        ((*SUBMIT, "-p", "window"), "NAME=VALUE"),
        ((*SUBMIT, "--project", "s3://projects/shop.zip"), "names no bundle"),
        (("submit", "backfill", "--platform", "cluster"), "needs 'since'"),
        (("submit", "baking", "--platform", "cluster"), "one of training"),
        (("submit", "--platform", "clutser"), "did you mean 'cluster'?"),
        ((*SCHEDULE, "every day"), "--cron"),
        (("schedule", "--platform", "cluster"), "--cron is missing"),
    ],
)
def test_what_is_asked_wrongly_is_said_and_starts_nothing(shop, said, api, arguments, word):
    status, told = said(*arguments)
    assert status == 2
    assert word in told
    assert api.runs == api.recurring == {}


@pytest.mark.parametrize(
    ("call", "fault", "remedy"),
    [
        ("GET /pipelines", "403", "tokenFile"),
        ("POST /runs", "quota", "ResourceQuota"),
        ("POST /runs", "500", "log of ml-pipeline"),
    ],
)
def test_a_server_that_refuses_is_told_with_a_remedy(shop, said, api, call, fault, remedy):
    api.faults = {call: [fault]}
    status, told = said(*SUBMIT)
    assert status == 4
    assert remedy in told


def test_a_token_is_shown_and_one_that_is_missing_is_named(shop, said, api, tmp_path):
    api.token = "secret"
    assert said(*SUBMIT)[0] == 4
    settings = {
        "pipelines": {"url": api.url, "tokenFile": str(tmp_path / "token")},
        "projects": shop.as_uri(),
    }
    place(shop, settings)
    status, told = said(*SUBMIT)
    assert status == 2
    assert "tokenFile" in told
    (tmp_path / "token").write_text("secret\n")
    assert said(*SUBMIT)[0] == 0


def test_in_a_pod_the_projected_token_is_shown(shop, said, api, tmp_path, monkeypatch):
    api.token = "of the pod"
    (tmp_path / "projected").write_text("of the pod")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "projected"))
    assert said(*SUBMIT)[0] == 0


def test_a_server_that_does_not_answer_is_told(shop, said):
    place(shop, {"pipelines": {"url": "http://127.0.0.1:9"}, "projects": shop.as_uri()})
    status, told = said(*SUBMIT)
    assert status == 4
    assert "does not answer" in told


def test_a_platform_without_server_or_storage_says_what_to_write(shop, said, api):
    place(shop, {})
    assert "pipelines: {url: …}" in said(*SUBMIT)[1]
    place(shop, {"pipelines": {"url": api.url}})
    assert "projects: s3://…" in said(*SUBMIT)[1]
    assert api.runs == {}


def test_the_page_s_commands_are_taken(shop, said, api):
    """docs/kubeflow-pipelines.md, "Submit, schedule, look": each line, as a person types it."""
    page = (Path(__file__).parents[3] / "docs" / "kubeflow-pipelines.md").read_text()
    block = page.partition("## Submit, schedule, look\n\n```sh\n")[2].partition("```")[0]
    for line in block.splitlines():
        program, verb, *words = shlex.split(line)
        assert (program, verb) == ("trimtab", "pipeline")
        status, told = said(*words)
        assert status == 0, told
    assert sorted(one.pipeline_spec is not None for one in api.versions.values()) == [True, True, True]
    assert len(api.runs) == 2
    (schedule,) = api.recurring.values()
    assert schedule.trigger.cron_schedule.cron == "0 15 * * * *"


def test_manifests_are_named_by_what_they_hold(shop, said):
    import yaml

    _, first = said("compile", "--kubernetes-manifest", "-o", "-")
    pipeline, version = yaml.safe_load_all(first)
    assert (pipeline["kind"], pipeline["metadata"]["name"]) == ("Pipeline", "shop-training")
    assert version["spec"]["pipelineName"] == "shop-training"
    (shop / "trimtab.yaml").write_text(PROJECT.replace("gpu: 2", "gpu: 1"))
    _, second = said("compile", "--kubernetes-manifest", "-o", "-")
    names = {[*yaml.safe_load_all(text)][1]["metadata"]["name"] for text in (first, second)}
    assert len(names) == 2
    assert version["metadata"]["name"] in names


def test_a_compiled_file_holds_what_tasks_may_use_and_where_they_run(shop, said):
    import yaml

    pods = {
        "volume": {"claim": "shop"},
        "nodeSelector": {"pool": "ml"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "imagePullSecrets": ["pull"],
    }
    place(
        shop, {"secrets": [{"name": "db", "keys": ["DB_URL"]}], "pods": pods, "mlflow": "http://mlflow:5000"}
    )
    status, text = said("compile", "--platform", "cluster", "-o", "-")
    assert status == 0
    ir, on_kubernetes = yaml.safe_load_all(text)
    train = ir["deploymentSpec"]["executors"]["exec-train"]["container"]
    assert train["resources"]["resourceCpuLimit"] == "3"
    assert train["resources"]["resourceMemoryLimit"] == "6Gi"
    assert train["resources"]["accelerator"]["resourceCount"] == "2"
    assert train["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert "accelerator" not in ir["deploymentSpec"]["executors"]["exec-evaluate"]["container"]["resources"]
    assert {one["name"]: one["value"] for one in train["env"]} == {
        "TRIMTAB_PLATFORM": "cluster",
        "TRIMTAB_HOME": "/trimtab",
        "TRIMTAB_MODELS": "pvc://shop/.trimtab/models",
        "TRIMTAB_MLFLOW": "http://mlflow:5000",
    }
    executors = on_kubernetes["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors.keys() == ir["deploymentSpec"]["executors"].keys()
    placed = executors["exec-report"]
    assert placed["pvcMount"][0]["constant"] == "shop"
    assert placed["secretAsEnv"][0]["keyToEnv"] == [{"envVar": "DB_URL", "secretKey": "DB_URL"}]
    assert placed["nodeSelector"] == {"labels": {"pool": "ml"}}
    assert placed["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
