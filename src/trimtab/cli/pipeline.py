"""`trimtab pipeline`: the file that runs here is the file that a cluster takes, and so is the bundle."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.api.errors import ExitStatus, InputRefused

if TYPE_CHECKING:
    from trimtab.bootstrap.publishing import Publishing

Which = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="training, batch-prediction, materialization or backfill.")
]
On = Annotated[str, typer.Option(help="A name in platform.yaml.")]
Name = Annotated[str, typer.Option(help="The pipeline's name on the server. Default: PROJECT-PIPELINE.")]
Bundle = Annotated[
    str | None, typer.Option(help="Address of a bundle that lies there already. Default: put it there now.")
]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE of the run; may come often.")
]
Experiment = Annotated[str, typer.Option(help="Made if it is not there. Default: trimtab-PROJECT.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.callback()(pipeline)
    group.command("compile")(compile_)
    for verb in (bundle, submit, schedule, runs):
        group.command(verb.__name__)(verb)
    app.add_typer(group, name="pipeline")


def pipeline() -> None:
    """The project's pipelines and the project itself, as files and on Kubeflow Pipelines.

    \b
    trimtab pipeline compile -o training.yaml
    trimtab pipeline submit --platform cluster
    trimtab pipeline schedule --platform cluster --cron "0 3 * * 1"
    """


def compile_(
    which: Which = "training",
    platform: Annotated[
        str | None, typer.Option(help="A name in platform.yaml: its secrets, volume, tolerations go in.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file. Default: NAME-PIPELINE.yaml here.")
    ] = None,
    kubernetes_manifest: Annotated[
        bool,
        typer.Option(
            "--kubernetes-manifest",
            help="Pipeline and PipelineVersion for kubectl apply (Kubernetes-native mode).",
        ),
    ] = False,
) -> None:
    """Compile a pipeline for this project's environment (image, cpu, memory, gpu).

    \b
    trimtab pipeline compile
    trimtab pipeline compile batch-prediction --platform cluster
    trimtab pipeline compile --kubernetes-manifest -o - | kubectl apply -f -

    Upload it to Kubeflow Pipelines as it is; `trimtab run` executes the same training pipeline here.
    """
    from trimtab.bootstrap.local import open_project
    from trimtab.local.extras import need

    loaded, _ = open_project(Path.cwd(), platform)
    _known(which)
    need("compiling a pipeline", "kfp")
    from trimtab.bootstrap.publishing import compiled

    text = compiled(loaded, which, platform, manifests=kubernetes_manifest)
    target = output or Path(f"{loaded.project.name}-{which}.yaml")
    if str(target) == "-":
        typer.echo(text, nl=False)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
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


def submit(
    platform: On,
    which: Which = "training",
    parameter: Parameters = None,
    project: Bundle = None,
    experiment: Experiment = "",
    name: Name = "",
    upload_only: Annotated[bool, typer.Option("--upload-only", help="Start no run.")] = False,
) -> None:
    """Upload a pipeline, put the project's bundle in its place, and start a run.

    \b
    trimtab pipeline submit --platform cluster
    trimtab pipeline submit --platform cluster -p window=90d -p until=2013-07-01T00:00:00Z
    trimtab pipeline submit batch-prediction --platform cluster -p since=2013-07-01T00:00:00Z
    trimtab pipeline submit --platform cluster --upload-only

    The same content twice is the same version. What a pipeline takes: trimtab pipeline compile, or the form in the UI.
    """
    from trimtab.bootstrap.publishing import demand, typed

    place = _open(platform, which)
    published = place.publish(which, name)
    version = published.version
    typer.echo(f"{'uploaded' if version.made else 'unchanged'}: {published.name}, version {version.name}")
    if upload_only:
        return
    given = typed(published.declared, parameter or [])
    told = {"project": place.bundle(project), **given}
    demand(published.declared, told)
    run = place.submit(published, experiment or f"trimtab-{place.loaded.project.name}", told)
    typer.echo(f"project {told['project']}\nrun {run.id}: {place.runs_page(run.id)}")


def schedule(
    platform: On,
    which: Which = "training",
    cron: Annotated[str, typer.Option(help="Minute, hour, day, month, weekday.")] = "",
    time_zone: Annotated[
        str, typer.Option(help="The cron line's; must be the server's. Default: that.")
    ] = "",
    parameter: Parameters = None,
    project: Bundle = None,
    experiment: Experiment = "",
    name: Name = "",
    label: Annotated[
        str, typer.Option("--as", help="The recurring run's name. Default: the pipeline's.")
    ] = "",
    off: Annotated[bool, typer.Option("--off", help="Delete the recurring run of this name.")] = False,
) -> int:
    """Run a pipeline again and again; the same name again changes the schedule.

    \b
    trimtab pipeline schedule --platform cluster --cron "0 3 * * 1"
    trimtab pipeline schedule materialization --platform cluster --cron "15 * * * *"
    trimtab pipeline schedule --platform cluster --off

    Each run reads up to the moment at which it starts. Exit status 1: there was nothing to switch off.
    """
    from trimtab.bootstrap.publishing import demand, typed

    place = _open(platform, which)
    inside = experiment or f"trimtab-{place.loaded.project.name}"
    called = label or name or f"{place.loaded.project.name}-{which}"
    if off:
        gone = place.unschedule(inside, called)
        typer.echo(f"{called}: {'off' if gone else 'was not scheduled'}")
        return ExitStatus.DONE if gone else ExitStatus.NO
    if not cron:
        raise InputRefused("--cron is missing", remedy='such as --cron "0 3 * * 1": Mondays at 3; or --off')
    place.cron(cron, time_zone)
    published = place.publish(which, name)
    given = typed(published.declared, parameter or [])
    told = {"project": place.bundle(project), **given}
    demand(published.declared, told)
    made, changed = place.schedule(published, inside, called, cron, time_zone, told)
    word = "scheduled" if changed else "unchanged"
    typer.echo(f"{word}: {called}, {cron} ({place.settings.time_zone}), version {published.version.name}")
    typer.echo(f"project {told['project']}\nrecurring run {made.id}")
    return ExitStatus.DONE


def runs(
    platform: On,
    experiment: Experiment = "",
    most: Annotated[int, typer.Option(min=1, max=200, help="How many runs.")] = 20,
) -> None:
    """The newest runs of this project on the server, and what is scheduled.

    \b
    trimtab pipeline runs --platform cluster
    """
    from trimtab.bootstrap.publishing import Publishing

    place = Publishing(Path.cwd(), platform)
    recurring, found = place.recent(experiment or f"trimtab-{place.loaded.project.name}", most)
    for one in recurring:
        typer.echo(f"scheduled  {one.name}  {one.cron} (seconds first, {place.settings.time_zone})")
    for run in found:
        typer.echo(f"{run.state.lower():<10} {run.name}  {_shown(run.created_at)}  {place.runs_page(run.id)}")
    if not recurring and not found:
        typer.echo("nothing yet: trimtab pipeline submit")


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _open(platform: str, which: str) -> "Publishing":
    from trimtab.local.extras import need

    _known(which)
    need("compiling a pipeline", "kfp")
    from trimtab.bootstrap.publishing import Publishing

    return Publishing(Path.cwd(), platform)


def _known(which: str) -> None:
    from trimtab.adapters.kfp.compile import PIPELINES

    if which not in PIPELINES:
        raise InputRefused(f"there is no pipeline '{which}'", remedy=f"one of {', '.join(PIPELINES)}")
