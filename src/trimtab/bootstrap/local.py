"""Composition root of the commands that work on a project's folder: builds what a run on this machine needs."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trimtab.adapters.kfp.client import PipelineHost
from trimtab.adapters.kfp.compile import compile_training
from trimtab.adapters.projects.bundle import pack
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded, load, load_platform
from trimtab.local.runs import LocalRuns

PLATFORM_VARIABLE = "TRIMTAB_PLATFORM"


def open_project(folder: Path, platform: str | None = None) -> tuple[Loaded, Home]:
    """The project in a folder, and its `.trimtab`.

    Raises:
        InputRefused: no project there, no such platform, or files that are wrong.
    """
    loaded = load(folder)
    load_platform(folder, platform)
    if platform is not None:
        os.environ[PLATFORM_VARIABLE] = platform
    return loaded, Home.of(folder)


def pipeline_host(loaded: Loaded, home: Home) -> PipelineHost:
    """A host whose fork server has imported what this project's steps import."""
    return PipelineHost(home.runs / "host.log")


def local_runs(
    loaded: Loaded,
    home: Home,
    host: Callable[[], PipelineHost],
    on_event: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> LocalRuns:
    """Runs of the project as it stands now: its bundle and its compiled IR."""
    bundle = pack(loaded, home.bundles)
    ir = home.runs / f"{bundle.name}.yaml"
    if not ir.exists():
        making = ir.with_suffix(f".{os.getpid()}.yaml")
        compile_training(loaded.project, making)
        making.replace(ir)
    return LocalRuns(home, ir, bundle, host, on_event)


def run_parameters(until: datetime | None, window: str | None, stable: str, force: bool) -> dict[str, Any]:
    """The pipeline's arguments but for its project and key."""
    end = until or datetime.now(UTC)
    return {"until": end.isoformat(), "window": window or "", "stable": stable, "force_past_gate": force}
