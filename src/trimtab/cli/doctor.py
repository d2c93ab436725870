"""`trimtab doctor`: what is here, and the line that gets what is missing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.api.errors import ExitStatus

if TYPE_CHECKING:
    from trimtab.local.doctor import Finding


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Look at a cluster, not at this machine.")
    ] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Of the rollouts; default: that of the context.")
    ] = "",
    context: Annotated[str, typer.Option("--context", help="A context of the kubeconfig.")] = "",
    kubeconfig: Annotated[Path | None, typer.Option("--kubeconfig", help="A kubeconfig file.")] = None,
) -> int:
    """What is installed, what is missing and how to get it: here, or in a cluster. It imports nothing heavy.

    \b
    trimtab doctor
    trimtab doctor --json
    trimtab doctor --cluster -n shop

    Exit status 4: Python, the disk or the ports would stop everything, or the cluster cannot be reached; 1: the
    cluster lacks what trimtab cannot do without. A missing extra is no fault.
    """
    from trimtab.local.doctor import examine, versions

    if cluster or namespace or context or kubeconfig:
        from trimtab.adapters.kubectl import Kubectl
        from trimtab.local.cluster_doctor import examine_cluster

        given = {"namespace": namespace, "context": context, "kubeconfig": str(kubeconfig or "")}
        kubectl = Kubectl([f"--{flag}={value}" for flag, value in given.items() if value])
        return _told(examine_cluster(kubectl), {"kubernetes": kubectl.server()}, as_json, ExitStatus.NO)
    return _told(examine(Path.cwd()), versions(), as_json, ExitStatus.SURROUNDINGS)


def _told(
    findings: "Sequence[Finding]", held: Mapping[str, str], as_json: bool, stopped: ExitStatus
) -> ExitStatus:
    """Print what was found; `stopped` if something that is needed is not well."""
    if as_json:
        typer.echo(json.dumps({"versions": held, "findings": [asdict(one) for one in findings]}, indent=1))
    else:
        typer.echo("  ".join(f"{name} {number}" for name, number in held.items()))
        for one in findings:
            mark = typer.style("ok  ", fg="green") if one.well else typer.style("--  ", fg="yellow")
            remedy = "" if one.well else f"    {one.remedy}"
            typer.echo(f"{mark}{one.what:<16} {one.said}{remedy}")
    return stopped if any(one.needed and not one.well for one in findings) else ExitStatus.DONE
