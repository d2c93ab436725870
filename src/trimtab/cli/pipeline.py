"""`trimtab pipeline`: the file that runs here is the file that a cluster takes, and so is the bundle."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.callback()(pipeline)
    group.command("compile")(compile_)
    group.command("bundle")(bundle)
    app.add_typer(group, name="pipeline")


def pipeline() -> None:
    """The project's training pipeline and the project itself, as files for a cluster.

    \b
    trimtab pipeline compile -o training.yaml
    trimtab pipeline bundle
    """


def compile_(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file. Default: NAME-training.yaml here.")
    ] = None,
) -> None:
    """Compile the training pipeline for this project's environment (image, cpu, memory).

    \b
    trimtab pipeline compile
    trimtab pipeline compile -o training.yaml

    Upload it to Kubeflow Pipelines as it is; `trimtab run` executes the same file here.
    """
    from trimtab.bootstrap.local import open_project
    from trimtab.local.extras import need

    loaded, _ = open_project(Path.cwd())
    need("compiling a pipeline", "kfp")
    from trimtab.adapters.kfp.compile import compile_training

    target = output or Path(f"{loaded.project.name}-training.yaml")
    compile_training(loaded.project, target)
    typer.echo(f"wrote {target}")


def bundle(
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder that takes the file.")] = Path(),
) -> None:
    """Pack the project (trimtab.yaml and the files that it names) as NAME-DIGEST.tar.gz.

    \b
    trimtab pipeline bundle
    trimtab pipeline bundle -o /mnt/projects

    Put the file where the cluster's runs can read it; a RetrainPolicy names its address in spec.pipeline.project.
    """
    from trimtab.adapters.projects.archive import archive
    from trimtab.adapters.projects.bundle import pack
    from trimtab.bootstrap.local import open_project

    loaded, home = open_project(Path.cwd())
    typer.echo(f"wrote {archive(pack(loaded, home.bundles), output)}")
