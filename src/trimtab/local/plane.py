"""The serving side of one project on this machine: Envoy, the collector, a model server a revision.

`Plane` is a handle: cheap to make, holds no process, works from any process. What runs belongs to the
supervisor (`trimtab.local.supervisor`), which `up` starts.
"""

import contextlib
import fcntl
import hashlib
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from trimtab.adapters.envoy import PROBE_HOST, EnvoyGateway, EnvoyPlace, command, write_start_files
from trimtab.adapters.processes import ChildSpec, ChildState, ChildStatus, Control, LocalServers, record
from trimtab.adapters.processes import logs as log_files
from trimtab.adapters.processes.control import PlaneDown
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import FILE
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.local.supervisor import alone
from trimtab.ports.servers import ServerState

GATEWAY, COLLECTOR, MLFLOW, LOOP = "envoy", "collector", "mlflow", "loop"
UP_WITHIN_S = 60.0
MLFLOW_WITHIN_S = 180.0
DRAIN_S = 5.0
SWEEP_WITHIN_S = 5.0
POLL_S = 0.02
WATCH_S = 0.1
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "FEAST_USAGE": "False"}
PAGES_ONLY = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""MLflow's job runners cost half a gigabyte, and nothing here has jobs for them."""
MODULE = (sys.executable, "-P", "-m")
"""-P: a project's own files must not shadow modules."""


class Plane:
    """One project's plane.

    Args:
        state: the project's `.trimtab`.
        model_name: served name; the gateway's host has this name too.
        timeout_s: the gateway cuts a request after this.
        online: the online store's address; None for the file in `.trimtab`.
        reject_unknown_keys: a key that the online store does not hold gets 400 instead of nulls.
        clock: a replay's clock file, by which the servers tell the time.
    """

    def __init__(
        self,
        state: Path,
        model_name: str,
        timeout_s: float = 60.0,
        *,
        online: str | None = None,
        reject_unknown_keys: bool = False,
        clock: Path | None = None,
    ) -> None:
        self.home = Home(state.absolute())
        self.directory = self.home.plane
        self.model_name = self.host = model_name
        self.control = Control(self.directory)
        self.servers = LocalServers(self.control, self._server_arguments, self._readdress)
        self._place = EnvoyPlace(self.directory / "envoy", model_name, model_name, timeout_s)
        self._online = online or str(self.home.online)
        self._reject_unknown_keys = reject_unknown_keys
        self._clock = clock
        self._supervisor: subprocess.Popen[bytes] | None = None

    @property
    def gateway(self) -> EnvoyGateway:
        return EnvoyGateway(self._place, self._port(GATEWAY), self.servers.port)

    @property
    def url(self) -> str:
        """Where clients send requests."""
        return f"http://127.0.0.1:{self._port(GATEWAY)}"

    @property
    def collector_url(self) -> str:
        return f"http://127.0.0.1:{self._port(COLLECTOR)}"

    def server_url(self, revision: str) -> str | None:
        """A revision's server, past the gateway; None if it has none."""
        port = self.servers.port(revision)
        return f"http://127.0.0.1:{port}" if port else None

    def up(self, port: int = 0, tie_to: int | None = None) -> None:
        """Supervisor, collector and gateway run and answer. A plane that is up stays as it is.

        Args:
            port: of the gateway; 0: the last one if it is free, else one that the kernel chooses.
            tie_to: process with which all of it ends.

        Raises:
            SurroundingsFailed: a port is taken, or something does not start; with its last words.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SurroundingsFailed(f"{self.directory} cannot be made: {error.strerror}") from error
        with self._one_at_a_time():
            was_up = self.control.is_up()
            try:
                if not was_up:
                    self._start_supervisor()
                if tie_to is not None:
                    self.control.tie(tie_to)
                self.control.start(self._collector())
                gateway_port = self.control.reserve(GATEWAY, port)
                write_start_files(self._place, gateway_port)
                self.control.start(self._gateway(gateway_port))
                self._wait_until_ready((COLLECTOR, GATEWAY))
            except BaseException:
                if not was_up:
                    self._end()
                raise

    def steer(self, project_folder: Path, platform: str | None = None) -> None:
        """Keep the loop running: it brings models into service, watches them, and has them retrained."""
        more = (platform,) if platform else ()
        argv = (*MODULE, "trimtab.local.live", str(project_folder.absolute()), *more)
        # other rules are another loop: `up` after an edit starts it anew
        rules = hashlib.sha256((project_folder / FILE).read_bytes()).hexdigest()[:16]
        labels = {"kind": LOOP, "rules": rules}
        self.control.start(ChildSpec(LOOP, argv, drain_s=30.0, environment=QUIET, labels=labels))

    def wait_until_served(self, within_s: float) -> bool:
        """Whether every revision on the route is ready within that time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            split, servers = self.gateway.split(self.host), self.servers.observed()
            if split and all(
                revision in servers and servers[revision].state is ServerState.READY
                for revision in split.weights
            ):
                return True
            time.sleep(WATCH_S)
        return False

    def mlflow_ui(self) -> str:
        """Start MLflow's pages, if they do not run, and say where they are."""
        store = self.home.mlflow
        argv = (
            *MODULE,
            *("mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", "{port}"),
            *("--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}"),
            *("--default-artifact-root", (store / "artifacts").as_uri()),
        )
        self.control.start(
            ChildSpec(
                MLFLOW,
                argv,
                wants_port=0,
                ready_path="/health",
                start_within_s=MLFLOW_WITHIN_S,
                environment={**QUIET, **PAGES_ONLY},
                labels={"kind": MLFLOW},
            )
        )
        self._wait_until_ready((MLFLOW,), MLFLOW_WITHIN_S)
        return f"http://127.0.0.1:{self._port(MLFLOW)}"

    def status(self) -> list[ChildStatus]:
        """What runs, with its memory. Raises PlaneDown."""
        return self.control.children(memory=True)

    def down(self) -> None:
        """End everything, also what a killed supervisor left behind. Nothing if nothing runs."""
        if not self.directory.exists():
            return
        with self._one_at_a_time():
            if self.control.is_up():
                with contextlib.suppress(SurroundingsFailed):
                    self.gateway.drain(DRAIN_S)
            self._end()

    def clean(self) -> None:
        """`down`, and forget ports, routes and logs."""
        self.down()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_file(self, name: str) -> Path:
        """Log of a child, or of the supervisor. Raises InputRefused if there is none of that name."""
        path = self.directory / "logs" / f"{name}.log"
        if not path.exists():
            known = sorted(found.stem for found in path.parent.glob("*.log"))
            raise InputRefused(
                f"there is no log '{name}'", remedy=f"one of: {', '.join(known) or 'none yet'}"
            )
        return path

    def curl(self) -> str | None:
        """A command that sends a real row to the model; None before a server has a model folder."""
        for child in self.control.children():
            if folder := child.labels.get("folder"):
                rows = json.loads((Path(folder) / "samples.json").read_text())
                body = json.dumps({"instances": rows[:1]}, ensure_ascii=False)
                address = f"{self.url}/v1/models/{self.model_name}:predict"
                return f"curl -s {address} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
        return None

    def _end(self) -> None:
        with contextlib.suppress(PlaneDown):
            self.control.shutdown()
        with alone(self.directory, wait=True):
            record.sweep(record.read(self.directory / "children.json"), SWEEP_WITHIN_S)
        if self._supervisor:
            self._supervisor.wait()
            self._supervisor = None

    def _port(self, name: str) -> int:
        for child in self.control.children():
            if child.name == name and child.port is not None:
                return child.port
        raise SurroundingsFailed(f"{name} does not run", remedy="trimtab up")

    def _server_arguments(self) -> Sequence[str]:
        missing = ("--online-missing", "reject") if self._reject_unknown_keys else ()
        clock = ("--clock", str(self._clock.absolute())) if self._clock else ()
        return ("--online", self._online, "--sink", f"{self.collector_url}/", *missing, *clock)

    def _readdress(self) -> None:
        self.gateway.readdress()

    def _collector(self) -> ChildSpec:
        argv = (
            *MODULE,
            *("trimtab.bootstrap.collector", "--dir", str(self.home.collector), "--http-port", "{port}"),
        )
        return ChildSpec(
            COLLECTOR,
            argv,
            wants_port=0,
            ready_path="/readyz",
            ends_last=True,
            environment=QUIET,
            labels={"kind": COLLECTOR},
        )

    def _gateway(self, port: int) -> ChildSpec:
        return ChildSpec(
            GATEWAY,
            tuple(command(self._place.bootstrap, self._place.admin_address)),
            wants_port=port,
            ready_path="/",
            ready_host=PROBE_HOST,
            labels={"kind": "gateway"},
        )

    def _start_supervisor(self) -> None:
        log = self.directory / "logs" / "supervisor.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [*MODULE, "trimtab.local.supervisor", str(self.directory)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + UP_WITHIN_S
        while not self.control.is_up():
            if self._supervisor.poll() is not None or time.monotonic() > deadline:
                raise SurroundingsFailed(
                    f"the supervisor did not start; its last words:\n{log_files.tail(log, 8)}",
                    remedy=f"see {log}",
                )
            time.sleep(POLL_S)

    def _wait_until_ready(self, names: Sequence[str], within_s: float = UP_WITHIN_S) -> None:
        deadline = time.monotonic() + within_s
        while True:
            waited_for = [
                child
                for child in self.control.children()
                if child.name in names and child.state is not ChildState.READY
            ]
            if not waited_for:
                return
            for child in waited_for:
                if child.restarts >= 2 or time.monotonic() > deadline:
                    raise SurroundingsFailed(
                        f"{child.name} does not get ready: {child.message or child.state.value}",
                        remedy=f"trimtab logs {child.name}, then trimtab up again",
                    )
            time.sleep(POLL_S)

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Two `up` or `down` of one project wait for each other."""
        with (self.directory / "up.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
