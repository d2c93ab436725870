"""`kubectl trimtab`: the verbs of the laptop, on the resources of a cluster."""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trimtab.api.errors import ExitStatus
from trimtab.cli import app as frame

if TYPE_CHECKING:
    from rich.console import RenderableType

    from trimtab.adapters.kubectl import Kubectl
    from trimtab.api.resources import ModelRollout, ModelRolloutStatus
    from trimtab.cli.orders import Order

ROLLOUTS: Final = "modelrollouts.trimtab.dev"
MONITORS: Final = "driftmonitors.trimtab.dev"
POLICIES: Final = "retrainpolicies.trimtab.dev"
LOOK_S: Final = 2.0
SHOWN: Final = 10
LOOKS: Final = 5
"""So often an order is decided anew when somebody wrote the rollout meanwhile."""

HELP = """See and steer what trimtab does in a cluster. Whatever your kubectl may do, this may.

\b
What is there, and what needs a person:
  kubectl trimtab status -n shop
  kubectl trimtab rollout status flights -n shop --watch
\b
Orders; the operator obeys each once, and only while it fits:
  kubectl trimtab rollout approve flights -n shop
  kubectl trimtab rollout abort flights -n shop
\b
Why a model is retrained, or is not:
  kubectl trimtab monitor flights -n shop
  kubectl trimtab retrain flights -n shop

Exit status: 0 done, 1 the answer is no (a person is needed, drifted), 2 your input, 4 the cluster failed."""

Name = Annotated[str, typer.Argument(help="Its name.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Default: that of the context.")]
Context = Annotated[str, typer.Option("--context", help="A context of the kubeconfig.")]
Config = Annotated[Path | None, typer.Option("--kubeconfig", help="A kubeconfig file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, as the cluster holds it.")]


def build() -> typer.Typer:
    """The plugin with all its verbs."""
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    rollout = typer.Typer(
        help="See a rollout, and order it about. Orders are obeyed by the operator, once.\n\n"
        "\b\nkubectl trimtab rollout status flights -n shop\nkubectl trimtab rollout abort flights -n shop",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    rollout.command("status")(rollout_status)
    for verb in ("abort", "approve", "promote", "undo"):
        rollout.command(verb)(_ordering(verb))
    rollout.command("retry")(retry)
    rollout.command("suspend")(suspend)
    rollout.command("resume")(resume)
    app.command("status")(status)
    app.add_typer(rollout, name="rollout")
    app.command("monitor")(monitor)
    app.command("retrain")(retrain)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the plugin and exit with its status."""
    raise SystemExit(int(frame.invoke(arguments, make=build, name="kubectl trimtab")))


def status(
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")] = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Config = None,
) -> int:
    """What trimtab does here. Exit status 1 if something needs a person."""
    from rich.console import Console

    from trimtab.cli.listed import listed

    kubectl = _kubectl(namespace, context, kubeconfig)
    more = ("--all-namespaces",) if everywhere else ()
    rollouts, monitors, policies = (kubectl.list(kind, *more) for kind in (ROLLOUTS, MONITORS, POLICIES))
    Console(highlight=False).print(listed(rollouts, monitors, policies))
    return ExitStatus.NO if any(_read(one)[1].stalled for one in rollouts) else ExitStatus.DONE


def rollout_status(
    name: Name,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on looking until interrupted.")] = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Config = None,
) -> int:
    """Where the rollout stands, and on which evidence. Exit status 1 if it needs a person."""
    from rich.console import Console

    kubectl = _kubectl(namespace, context, kubeconfig)
    obj, console = kubectl.get(ROLLOUTS, name), Console(highlight=False)
    if as_json:
        typer.echo(json.dumps(obj.get("status") or {}, indent=1))
    elif watch:
        obj = _follow(console, kubectl, name, obj)
    else:
        console.print(_shown(obj))
    return ExitStatus.NO if _read(obj)[1].stalled else ExitStatus.DONE


def retry(
    name: Name,
    revision: Annotated[str, typer.Argument(help="A rejected revision, 8 hex; default the latest.")] = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Config = None,
) -> None:
    """Let a rejected revision in again, if it is still the newest candidate; its old evidence is discarded."""
    _order(_kubectl(namespace, context, kubeconfig), name, "retry", revision)


def suspend(name: Name, namespace: Namespace = "", context: Context = "", kubeconfig: Config = None) -> None:
    """Stop progress: no step begins or ends. What protects users goes on."""
    _kubectl(namespace, context, kubeconfig).merge(ROLLOUTS, name, {"spec": {"suspend": True}})
    typer.echo(f"{name}: progress is suspended; go on with `kubectl trimtab rollout resume {name}`")


def resume(name: Name, namespace: Namespace = "", context: Context = "", kubeconfig: Config = None) -> None:
    """Let a suspended rollout go on."""
    _kubectl(namespace, context, kubeconfig).merge(ROLLOUTS, name, {"spec": {"suspend": False}})
    typer.echo(f"{name}: the rollout goes on")


def monitor(
    name: Name,
    as_json: Json = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Config = None,
) -> int:
    """What a monitor has seen: its windows, the columns that moved most, its episodes. Exit status 1 if one is open."""
    from rich.console import Console

    from trimtab.api.resources import DriftMonitorStatus
    from trimtab.cli.listed import monitored

    obj = _kubectl(namespace, context, kubeconfig).get(MONITORS, name)
    held = DriftMonitorStatus.model_validate(obj.get("status") or {})
    if as_json:
        typer.echo(json.dumps(obj.get("status") or {}, indent=1))
    else:
        Console(highlight=False).print(monitored(name, held))
    return ExitStatus.NO if any(episode.closed_at is None for episode in held.episodes) else ExitStatus.DONE


def retrain(
    name: Name,
    as_json: Json = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Config = None,
) -> None:
    """Which runs a policy asked for, what came of them, and what it waits for."""
    from rich.console import Console

    from trimtab.api.resources import RetrainPolicyStatus
    from trimtab.cli.listed import retrained

    obj = _kubectl(namespace, context, kubeconfig).get(POLICIES, name)
    if as_json:
        typer.echo(json.dumps(obj.get("status") or {}, indent=1))
    else:
        Console(highlight=False).print(
            retrained(name, RetrainPolicyStatus.model_validate(obj.get("status") or {}))
        )


def _ordering(verb: str) -> Callable[..., None]:
    """The command of an order about whatever is in flight, or stable."""
    from trimtab.cli.orders import ORDERS

    def command(
        name: Name, namespace: Namespace = "", context: Context = "", kubeconfig: Config = None
    ) -> None:
        _order(_kubectl(namespace, context, kubeconfig), name, verb)

    command.__doc__ = ORDERS[verb].__doc__
    return command


def _order(kubectl: "Kubectl", name: str, verb: str, *about: str) -> None:
    """Write the order beside what it was decided on; a write in between that leaves it as it is changes nothing."""
    from trimtab.adapters.kubectl import MovedOn
    from trimtab.api.resources import ACT, Act, Verb
    from trimtab.cli.orders import ORDERS

    by, wished = kubectl.user(), None
    for looks_left in reversed(range(LOOKS)):
        found, state = _read(kubectl.get(ROLLOUTS, name))
        decide: Callable[..., Order] = ORDERS[verb]
        order = decide(state, *about)
        if wished is not None and order != wished:
            raise MovedOn(
                f"the rollout has moved on: it would be {order} by now", remedy="look again, and order again"
            )
        wished = order
        act = Act(
            id=uuid.uuid4().hex[:12], verb=Verb(verb), revision=order.revision, step=order.step or None, by=by
        )
        try:
            kubectl.annotate(ROLLOUTS, name, ACT, act.text(), found.metadata.resource_version)
        except MovedOn:
            if not looks_left:
                raise
        else:
            break
    typer.echo(f"{name}: {by} ordered {wished}; the operator obeys at its next look")


def _kubectl(namespace: str, context: str, kubeconfig: Path | None) -> "Kubectl":
    from trimtab.adapters.kubectl import Kubectl

    given = {"namespace": namespace, "context": context, "kubeconfig": str(kubeconfig or "")}
    return Kubectl([f"--{flag}={value}" for flag, value in given.items() if value])


def _read(obj: Mapping[str, Any]) -> "tuple[ModelRollout, ModelRolloutStatus]":
    from trimtab.api.resources import ModelRollout, ModelRolloutStatus

    return ModelRollout.from_wire(obj), ModelRolloutStatus.model_validate(obj.get("status") or {})


def _shown(obj: Mapping[str, Any]) -> "RenderableType":
    from trimtab.cli.listed import hindrances
    from trimtab.cli.shown import shown

    found, state = _read(obj)
    name = f"{found.metadata.namespace}/{found.metadata.name}"
    return shown(name, state, found.spec.suspend, hindrances(state))


def _follow(console: Any, kubectl: "Kubectl", name: str, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show it anew every two seconds until the person has seen enough; returns what was seen last."""
    from rich.live import Live

    with Live(_shown(obj), console=console, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(LOOK_S)
                obj = kubectl.get(ROLLOUTS, name)
                live.update(_shown(obj), refresh=True)
        except KeyboardInterrupt:
            return obj
