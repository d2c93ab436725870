"""The training pipeline as its IR says: each task the IR's command in a container of the trimtab image.

kfp's local engine orders the tasks and writes their inputs; nothing of a task runs outside its container, whose user is
nobody, and which shares with the next one only the volume and the artefacts.
"""

import contextlib
import json
import os
import stat
import subprocess

import pytest

from tests.images.builder import buildah

IMAGE = "localhost/trimtab:test"
PROJECT = """
name: shop
sources: {customers: {files: customers.csv}}
examples: {table: customers, key: [customer], time: seen, label: {column: left}}
model: {family: logistic}
training: {split: {validation: 14d, test: 21d}, resources: {cpu: 1, memory: 1Gi}}
environment: {image: "localhost/trimtab:test"}
"""
UNTIL = "2024-06-01T00:00:00+00:00"
EXTRAS = "data,features,kfp,train"


@pytest.fixture(scope="module")
def container(built):
    built("trimtab", "test", EXTRAS)
    made = buildah("from", "--pull-never", IMAGE)
    yield made
    buildah("rm", made)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Folders that a task's user may write to, whoever made them."""
    old = os.umask(0)
    for folder in (tmp_path, *(tmp_path / name for name in ("volume", "data", "projects", "shop", "root"))):
        folder.mkdir(exist_ok=True)
        folder.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent.name.startswith("pytest"):
            parent.chmod(0o755)
    yield tmp_path
    os.umask(old)


def customers():
    import numpy as np

    draw = np.random.default_rng(7)
    lines = ["customer,visits,seen,left"]
    for i, visits in enumerate(draw.integers(0, 40, 600).tolist()):
        at = np.datetime64("2024-01-01T00:00:00") + np.timedelta64(7 * i, "h")
        lines.append(f"k{i:04d},{visits},{at}Z,{draw.random() < 1 / (1 + np.exp((visits - 15) / 5))}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def in_containers(container, folder, seen):
    """While it lasts, kfp.local runs each task in the container: the IR's command, arguments and variables."""
    from kfp.local import status, subprocess_task_handler

    class Handler(subprocess_task_handler.SubprocessTaskHandler):
        def run(self):
            assert self.image == IMAGE
            variables = [
                word for name, value in self.env_vars.items() for word in ("--env", f"{name}={value}")
            ]
            command = ["buildah", "run", "--isolation", "chroot", "--volume", f"{folder}:{folder}", *variables,
                       container, "--", *self.full_command]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seen.append((done.returncode, done.stdout + done.stderr))
            return status.Status.SUCCESS if done.returncode == 0 else status.Status.FAILURE

    stock = subprocess_task_handler.SubprocessTaskHandler
    subprocess_task_handler.SubprocessTaskHandler = Handler
    try:
        yield
    finally:
        subprocess_task_handler.SubprocessTaskHandler = stock


def test_training_in_containers_ends_in_a_candidate(container, place):
    from kfp import components, local

    from trimtab.adapters.kfp.compile import compile_pipeline
    from trimtab.adapters.kfp.host import keep_within_run
    from trimtab.adapters.projects.archive import archive
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.load import load, load_platform

    (place / "data" / "customers.csv").write_text(customers())
    (place / "shop" / "trimtab.yaml").write_text(PROJECT)
    settings = {
        "dataRoot": str(place / "data"),
        "pods": {"volume": {"claim": "shop", "path": str(place / "volume")}},
    }
    (place / "shop" / "platform.yaml").write_text(json.dumps({"platforms": {"cluster": settings}}))
    loaded = load(place / "shop")
    platform = ("cluster", load_platform(place / "shop", "cluster"))
    ir = compile_pipeline("training", loaded.project, place / "training.yaml", platform)
    address = archive(pack(loaded, place / "bundles"), place / "projects").as_uri()
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(place / "root"))
    pipeline, seen = components.load_component_from_file(str(ir)), []
    keep_within_run(pipeline.component_spec.implementation.graph)
    with (
        in_containers(container, place, seen),
        contextlib.suppress(RuntimeError),
    ):  # kfp's, of a task that failed
        pipeline(project=address, until=UNTIL)
    assert [code for code, _ in seen] == [0] * 12, seen[-1][1][-3000:]
    card = next(place.rglob("register/card")).read_text()
    assert card.startswith("# shop, version 1: candidate")
    assert len(list(place.glob("volume/.trimtab/models/*/model.onnx"))) == 1
