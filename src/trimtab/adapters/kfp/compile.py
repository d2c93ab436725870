"""A project's IR: the pipeline compiled for its environment. The file that is uploaded is the file that runs here."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from trimtab import bundled
from trimtab.api.project import Project


def compile_training(project: Project, target: Path) -> Path:
    """Compile the training pipeline for `project`'s environment to `target` (YAML)."""
    from kfp import compiler

    build = _graph("training").training
    resources = project.training.resources
    target.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(
        build(image=project.environment.image, cpu=resources.cpu, memory=resources.memory), str(target)
    )
    return target


def _graph(name: str) -> ModuleType:
    """A module of pipelines/, which stands beside components/ in the repository and in the wheel."""
    root = str(bundled.path())
    if root not in sys.path:
        sys.path.insert(0, root)
    return importlib.import_module(f"pipelines.{name}")
