"""The operator's process: one client, one cache a kind, one lease; whoever holds it works.

python -m operators.drift --config /etc/trimtab/config.yaml
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from operators.drift import logs, watches
from operators.drift.caches import Caches
from operators.drift.cluster import WatchedCluster
from operators.drift.config import Configuration, load
from operators.drift.handlers.monitor import MonitorHandler
from operators.drift.handlers.retrain import RetrainHandler
from operators.drift.handlers.rollout import RolloutHandler
from operators.drift.metrics import Metrics
from operators.drift.posting import Postbox
from operators.drift.reporting import Reporter
from operators.drift.runtime import Client, Controller, Elector, Looked
from operators.drift.served_kinds import ServedKinds
from operators.drift.surroundings import Surroundings
from operators.drift.traces import Tracing
from operators.drift.web import serving
from trimtab.adapters.clock import WallClock
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT, NAMESPACE, RETRAIN_POLICY
from trimtab.api.errors import ExitStatus, TrimtabError
from trimtab.ports.cluster import Kind

HANGS_S: Final = 300.0
"""A look that takes longer hangs: every call in it has a timeout of seconds."""
EXAMPLES: Final = """
examples:
  python -m operators.drift --config /etc/trimtab/config.yaml      in a pod, as its service account
  python -m operators.drift --kubeconfig ~/.kube/config            on your machine, beside `kubectl proxy`
  python -m operators.drift --namespaces team-a,team-b             only these, with a Role in each
  python -m operators.drift --config config.yaml --check           say what is wrong with the file, and end

a configuration:
  providers:
    mlflow: [{name: mlflow, url: http://mlflow.mlops:5000, tokenFile: /etc/trimtab/secrets/mlflow}]
    kubeflow: [{name: kubeflow, url: http://ml-pipeline.kubeflow:8888}]
    prometheus: [{name: prometheus, url: http://prometheus.monitoring:9090, namespaces: [team-a]}]
  collector: {image: ghcr.io/example/trimtab-operator:0.1.0, storage: 10Gi}
"""
log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until told to stop; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        configuration = _configuration(args)
    except TrimtabError as error:
        print(error, file=sys.stderr)  # noqa: T201  # nothing logs yet, and a person reads it
        return int(error.status)
    if args.check:
        return int(ExitStatus.DONE)
    logs.to_json(configuration.log_level)
    try:
        asyncio.run(run(configuration, args.kubeconfig))
    except TrimtabError as error:
        log.critical("%s", error)
        return int(error.status)
    return int(ExitStatus.DONE)


async def run(configuration: Configuration, kubeconfig: str | None) -> None:
    """Until SIGTERM or SIGINT: looks at work end, the lease is given back."""
    metrics, tracing = Metrics(), Tracing.from_environment()
    async with (
        await Client.connect(
            kubeconfig,
            user_agent="trimtab-drift-operator",
            on_call=metrics.called,
            on_warning=lambda text: log.warning("the API server warns: %s", text),
        ) as client,
        asyncio.TaskGroup() as group,
    ):
        lease = configuration.lease
        elector = Elector(
            client,
            lease.namespace,
            lease.name,
            lease_s=int(lease.duration.total_seconds()),
            renew_deadline_s=lease.renew_deadline.total_seconds(),
        )
        caches = Caches(client, watches.WATCHED, configuration.namespaces)
        served = ServedKinds(client)
        controllers = _controllers(configuration, client, elector, caches, metrics, tracing, served)

        def look_again(kind: str) -> None:
            for controller in (one for one in controllers if one.name == kind):
                controller.look_at_all()

        hanging = lambda: _hanging(controllers)  # noqa: E731
        ready = lambda: "" if caches.synced else "caches are being filled"  # noqa: E731

        def exposed() -> bytes:
            metrics.leading(elector.leading)
            for controller in controllers:
                metrics.depth(controller.name, controller.queue.depth)
            for reflector in caches.all():
                metrics.cached(str(reflector.resource), len(reflector.store))
            return metrics.text()

        async with serving(
            configuration.listen, hanging, ready, exposed, Postbox(client, caches).routes()
        ) as port:
            log.info("listens", extra={"port": port, "identity": elector.identity})
            filling = group.create_task(caches.run())
            working = (lambda: served.run(look_again), *(controller.run for controller in controllers))
            leading = group.create_task(_lead(elector, working))
            stop = asyncio.Event()
            for name in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(name, stop.set)
            stopping = group.create_task(stop.wait())
            await asyncio.wait((stopping, leading, filling), return_when=asyncio.FIRST_COMPLETED)
            log.info("stops")
            for task in (leading, filling, stopping):
                task.cancel()
            await asyncio.wait((leading, filling))
    tracing.close()


async def _lead(elector: Elector, tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task())

    with contextlib.suppress(asyncio.CancelledError):
        await elector.lead(work)


def _controllers(
    configuration: Configuration,
    client: Client,
    elector: Elector,
    caches: Caches,
    metrics: Metrics,
    tracing: Tracing,
    served: ServedKinds,
) -> tuple[Controller, ...]:
    """One a kind, each woken by its own objects and by what they rest on."""
    loop, fenced = asyncio.get_running_loop(), client.behind(elector.fence)
    reporter = Reporter(fenced, loop, elector.identity)
    kinds = (*(one.kind for one in watches.WATCHED), NAMESPACE)
    cluster = WatchedCluster(fenced, loop, caches, kinds, reporter)
    surroundings = Surroundings(configuration, cluster, metrics.hangs)
    machine, rehearsal = WallClock(), configuration.rehearsal
    clock = rehearsal.clock() if rehearsal else machine
    handed = (
        configuration, cluster, surroundings, clock, lambda: elector.epoch, metrics, tracing, machine, served.lacks,
    )  # fmt: skip
    handlers: dict[Kind, Callable[[str, str], float | None]] = {
        MODEL_ROLLOUT: RolloutHandler(*handed).look,
        DRIFT_MONITOR: MonitorHandler(*handed).look,
        RETRAIN_POLICY: RetrainHandler(*handed).look,
    }

    def looked(look: Looked) -> None:
        if look.error is not None:
            log.error("a look failed", extra={"controller": look.controller, "failure": str(look.error)})

    made = {
        kind: Controller(kind.kind, handler, workers=configuration.workers, on_look=looked)
        for kind, handler in handlers.items()
    }
    for kind, controller in made.items():
        for woken_by, keys in ((kind, watches.own(cluster)), *watches.wakes(caches)[kind]):
            for reflector in caches.of(woken_by):
                controller.watch(reflector, keys)
    return tuple(made.values())


def _hanging(controllers: Sequence[Controller]) -> str:
    worst = max((controller.longest_run_s for controller in controllers), default=0.0)
    return f"a look has been at work for {worst:.0f} s" if worst > HANGS_S else ""


def _configuration(args: argparse.Namespace) -> Configuration:
    found = load(args.config)
    update: dict[str, object] = {}
    if args.namespaces is not None:
        update["namespaces"] = tuple(part for part in args.namespaces.split(",") if part)
    if args.log_level is not None:
        update["log_level"] = args.log_level
    if args.port is not None:
        update["listen"] = found.listen.model_copy(update={"port": args.port})
    return found.model_copy(update=update)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m operators.drift",
        description="Looks after ModelRollouts, DriftMonitors and RetrainPolicies of a cluster.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration; default: none")
    parser.add_argument("--kubeconfig", metavar="FILE", help="default: the pod's account, else $KUBECONFIG")
    parser.add_argument("--namespaces", metavar="A,B", help="only these; default: as configured, else all")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--port", type=int, help="of /healthz, /readyz and /metrics; 0 takes a free one")
    parser.add_argument("--check", action="store_true", help="only check the configuration")
    return parser
