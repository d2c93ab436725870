"""A project's IR: a pipeline compiled for its environment. The file that is uploaded is the file that runs here."""

import contextlib
import importlib
import inspect
import itertools
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from trimtab import bundled
from trimtab.api.platform import Platform
from trimtab.api.project import Project

PIPELINES: Final = ("training", "batch-prediction", "materialization", "backfill")
PLATFORM_VARIABLE: Final = "TRIMTAB_PLATFORM"


def compile_pipeline(
    name: str, project: Project, target: Path, platform: tuple[str, Platform] | None = None
) -> Path:
    """Compile one of PIPELINES for `project`'s environment to `target` (YAML).

    Args:
        platform: a place of platform.yaml and its name: secrets, volume and placing of the tasks' pods.
    """
    from kfp import compiler

    target.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(_built(name, project, platform), str(target))
    return target


def compile_manifests(
    name: str,
    project: Project,
    target: Path,
    platform: tuple[str, Platform] | None,
    pipeline: str,
    version: str,
    namespace: str,
) -> Path:
    """The same as the custom resources Pipeline and PipelineVersion, for a Kubernetes-native server.

    Args:
        pipeline: the Pipeline's name.
        version: the PipelineVersion's; it can never be changed, so it names the content.
    """
    from kfp import compiler
    from kfp.compiler.compiler_utils import KubernetesManifestOptions

    target.parent.mkdir(parents=True, exist_ok=True)
    options = KubernetesManifestOptions(
        pipeline_name=pipeline,
        pipeline_version_name=version,
        namespace=namespace or None,
        include_pipeline_manifest=True,
    )
    compiler.Compiler().compile(
        _built(name, project, platform),
        str(target),
        kubernetes_manifest_options=options,
        kubernetes_manifest_format=True,
    )
    return target


def _built(name: str, project: Project, platform: tuple[str, Platform] | None) -> Any:
    module = name.replace("-", "_")
    with _short_stacks():
        return getattr(_graph(module), module)(placing(project, platform))


@contextlib.contextmanager
def _short_stacks() -> Iterator[None]:
    """Let kfp ask for its caller's name without all the frames above it, and without their source.

    It takes inspect.stack() a hundred times a pipeline, which looks through all loaded modules for each frame that is
    of no file: seconds in a notebook or a test, a tenth of one in a command.
    """
    from kfp.dsl import pipeline_task

    before = pipeline_task.inspect
    pipeline_task.inspect = SimpleNamespace(stack=_two_frames)
    try:
        yield
    finally:
        pipeline_task.inspect = before


def _two_frames() -> list[inspect.FrameInfo]:
    """Who asks, and who called that."""
    frames = itertools.islice(traceback.walk_stack(sys._getframe(1)), 2)
    return [inspect.FrameInfo(frame, *inspect.getframeinfo(frame, context=0)) for frame, _ in frames]


def placing(project: Project, platform: tuple[str, Platform] | None = None) -> Any:
    """A `pipelines.placing.Placing` of the project's environment and resources, on a platform."""
    placed = _graph("placing").Placing
    resources = project.training.resources
    sized = {"image": project.environment.image, "cpu": resources.cpu, "memory": resources.memory}
    if platform is None:
        return placed(**sized, gpu=resources.gpu)
    called, place = platform
    pods, variables = place.pods, {PLATFORM_VARIABLE: called}
    if place.mlflow:
        variables["TRIMTAB_MLFLOW"] = place.mlflow
    if pods.volume:
        variables["TRIMTAB_HOME"] = pods.volume.path
        variables["TRIMTAB_MODELS"] = f"pvc://{pods.volume.claim}/.trimtab/models"
    return placed(
        **sized,
        gpu=resources.gpu,
        accelerator=pods.accelerator,
        variables=variables,
        secrets={secret.name: tuple(secret.keys) for secret in place.secrets},
        claim=pods.volume.claim if pods.volume else "",
        mount=pods.volume.path if pods.volume else "",
        node_selector=pods.node_selector,
        tolerations=[one.model_dump(exclude_none=True) for one in pods.tolerations],
        image_pull_secrets=pods.image_pull_secrets,
    )


def _graph(name: str) -> ModuleType:
    """A module of pipelines/, which stands beside components/ in the repository and in the wheel."""
    root = str(bundled.path())
    if root not in sys.path:
        sys.path.insert(0, root)
    return importlib.import_module(f"pipelines.{name}")
