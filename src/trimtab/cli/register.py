"""`trimtab register`: a fitted model from elsewhere as a version of this project's model."""

from pathlib import Path
from typing import Annotated

import typer

from trimtab.api.errors import InputRefused


def register(app: typer.Typer) -> None:
    app.command("register")(register_model)


def register_model(
    model: Annotated[Path, typer.Argument(help="The ONNX file; each input a named column.")],
    profile: Annotated[
        Path, typer.Option("--profile", help="A table of what it learned from: parquet, csv, jsonl, Delta.")
    ],
    classes: Annotated[
        str | None, typer.Option(help="The classes in order of the probabilities, as no,yes.")
    ] = None,
) -> None:
    """Take a model that was fitted elsewhere. Rollouts and drift then work with no training here.

    \b
    trimtab register churn.onnx --profile reference.parquet
    trimtab register churn.onnx --profile reference.parquet --classes stays,leaves

    Name, key, time and label are those of trimtab.yaml. The file is tried on the reference rows first; it becomes
    the candidate, and `trimtab up` brings it into service by the project's rollout.
    """
    from trimtab.adapters import frames
    from trimtab.bootstrap.local import open_project, registry
    from trimtab.local.extras import need
    from trimtab.steps.adopt import adopt
    from trimtab.steps.register import register as step

    loaded, home = open_project(Path.cwd())
    need("trimtab register", "train")
    if not model.is_file():
        raise InputRefused(f"there is no file {model}", remedy="give the ONNX file's path")
    names = [name.strip() for name in classes.split(",")] if classes else []
    folder = adopt(model.read_bytes(), frames.read(profile), loaded.project, names, home.models, {})
    done = step(
        registry(home),
        loaded.project.name,
        folder,
        None,
        {"trimtab.because": f"registered from {model.name}"},
    )
    typer.echo(f"version {done.version.version}: {folder.path}")
    typer.echo("it is the candidate: trimtab up" if done.candidate else f"no candidate: {done.because}")
