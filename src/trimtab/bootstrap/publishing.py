"""Composition root of what goes to a Kubeflow Pipelines server: a project's pipelines, runs and schedules."""

import difflib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from trimtab.adapters.kfp.compile import compile_manifests, compile_pipeline
from trimtab.adapters.kfp_server import (
    KfpProvider,
    KfpPublisher,
    KfpRun,
    KfpServer,
    Recurring,
    Schedule,
    Version,
    version_name,
)
from trimtab.adapters.projects.archive import bundle_name, put
from trimtab.adapters.projects.bundle import pack
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded, load, load_platform
from trimtab.api.cron import Cron
from trimtab.api.errors import InputRefused
from trimtab.api.platform import Pipelines, Platform

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: an IR has two thousand lines."""
TOKEN_VARIABLE: Final = "KF_PIPELINES_SA_TOKEN_PATH"
TOKEN_OF_POD: Final = "/var/run/secrets/kubeflow/pipelines/token"
"""Where Kubeflow projects a pod's token for its pipelines (audience pipelines.kubeflow.org)."""


@dataclass(frozen=True, slots=True)
class Published:
    """A pipeline on the server.

    Attributes:
        declared: its run parameters, as its IR declares them.
    """

    name: str
    version: Version
    declared: Mapping[str, Any]


def compiled(loaded: Loaded, pipeline: str, platform: str | None, *, manifests: bool = False) -> str:
    """A pipeline's IR as text; or, for a Kubernetes-native server, its Pipeline and PipelineVersion.

    A PipelineVersion can never be changed, so its name ends in the digest of what it holds.
    """
    project = loaded.project
    place = (platform, load_platform(loaded.root, platform)) if platform else None
    with tempfile.TemporaryDirectory(prefix="trimtab-ir-") as scratch:
        ir = compile_pipeline(pipeline, project, Path(scratch) / "ir.yaml", place).read_bytes()
        if not manifests:
            return ir.decode()
        named = f"{project.name}-{pipeline}"
        settings = place[1].pipelines if place else None
        return compile_manifests(
            pipeline,
            project,
            Path(scratch) / "manifests.yaml",
            place,
            named,
            f"{named}-{version_name(ir)}",
            settings.namespace if settings else "",
        ).read_text()


class Publishing:
    """One project on the server of one platform.

    Args:
        platform: a name in platform.yaml.
    """

    def __init__(self, folder: Path, platform: str) -> None:
        self.loaded: Loaded = load(folder)
        self.platform: Platform = load_platform(folder, platform)
        self._called, self._home = platform, Home.of(folder)
        self.settings = _settings(self.platform, platform)
        self.url = self.settings.url.rstrip("/")
        provider = KfpProvider(
            self.url,
            token_file=_token(self.settings),
            ca_file=Path(self.settings.ca_file) if self.settings.ca_file else None,
        )
        self._server = KfpServer(provider, self.settings.namespace)
        self._publisher = KfpPublisher(self._server, self.loaded.project.name)

    def publish(self, pipeline: str, name: str = "") -> Published:
        """The compiled pipeline as a version on the server; nothing is uploaded where it is there.

        Args:
            name: on the server; default PROJECT-PIPELINE.
        """
        ir = compiled(self.loaded, pipeline, self._called).encode()
        document = next(yaml.load_all(ir, Loader=LOADER))
        named = name or f"{self.loaded.project.name}-{pipeline}"
        about = str(document["pipelineInfo"].get("description", ""))
        declared = document["root"]["inputDefinitions"]["parameters"]
        return Published(named, self._publisher.publish(named, ir, about), declared)

    def bundle(self, address: str | None) -> str:
        """The project's address: the one that is given, or where its bundle is put now.

        Raises:
            InputRefused: the address names no bundle, or platform.yaml says nowhere to put it.
        """
        if address is not None:
            bundle_name(address)
            return address
        if self.platform.projects is None:
            raise InputRefused(
                f"platform '{self._called}' does not say where bundles go",
                remedy="give `projects: s3://…` in platform.yaml, or --project with the bundle's address",
            )
        return put(pack(self.loaded, self._home.bundles), self.platform.projects)

    def submit(self, published: Published, experiment: str, parameters: Mapping[str, Any]) -> KfpRun:
        """Start a run; each call is one more."""
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        return self._server.create(
            self._server.experiment(experiment),
            f"{published.name}-{moment}",
            published.version.pipeline,
            parameters,
            self.settings.service_account,
            f"submitted for project {self.loaded.project.name}",
            published.version.id,
        )

    def schedule(
        self, published: Published, experiment: str, name: str, cron: str, zone: str, parameters: Mapping[str, Any]
    ) -> tuple[Recurring, bool]:  # fmt: skip
        """Have exactly one recurring run of this name; and whether that changed anything.

        Args:
            cron: five fields.
            zone: in which it is meant; the server has one for all.
        """
        wanted = Schedule(name, self.cron(cron, zone), parameters, self.settings.service_account)
        return self._publisher.schedule(self._server.experiment(experiment), published.version, wanted)

    def unschedule(self, experiment: str, name: str) -> int:
        """Delete the recurring runs of a name; how many there were."""
        return self._publisher.unschedule(self._server.experiment(experiment), name)

    def recent(self, experiment: str, most: int) -> tuple[list[Recurring], list[KfpRun]]:
        """Recurring runs, and the newest runs."""
        identity = self._server.experiment(experiment)
        return self._publisher.schedules(identity), self._server.newest(identity, most)

    def cron(self, line: str, zone: str) -> str:
        """A five-field line as the server reads it: seconds first, Sunday 0.

        Raises:
            InputRefused: no cron line, or another time zone than the server's.
        """
        try:
            Cron.parse(line)
        except ValueError as error:
            raise InputRefused(f"--cron: {error}", remedy='such as "0 3 * * 1": Mondays at 3') from None
        if zone and zone != self.settings.time_zone:
            raise InputRefused(
                f"--time-zone {zone}: Kubeflow Pipelines reads all cron lines in one zone, here "
                f"{self.settings.time_zone}",
                remedy="set CRON_SCHEDULE_TIMEZONE of ml-pipeline-scheduledworkflow and pipelines.timeZone in "
                "platform.yaml alike; or use a RetrainPolicy, whose schedule has its own timeZone",
            )
        *fields, weekday = line.split()
        return " ".join(["0", *fields, sunday_first(weekday)])

    def runs_page(self, run: str) -> str:
        """Where a person looks at a run."""
        return f"{self.url}/#/runs/details/{run}"


def sunday_first(field: str) -> str:
    """A weekday field that says Sunday as 0: the server knows no 7.

    >>> sunday_first("1-7/2,7"), sunday_first("*"), sunday_first("0-5"), sunday_first("5-7")
    ('1,3,5,0', '*', '0-5', '5,6,0')
    """
    if "7" not in field.replace("/7", ""):
        return field
    days = [day for item in field.split(",") for day in _days(item)]
    return ",".join(str(day) for day in dict.fromkeys(day % 7 for day in days))


def _days(item: str) -> range:
    span, _, step = item.partition("/")
    first, _, last = ("0-6" if span == "*" else span).partition("-")
    return range(int(first), int(last or ("7" if step else first)) + 1, int(step or 1))


def typed(declared: Mapping[str, Any], given: list[str]) -> dict[str, Any]:
    """NAME=VALUE texts as the pipeline's types.

    Raises:
        InputRefused: no NAME=VALUE, a parameter that the pipeline does not have, or a value of another type.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputRefused(f"'{text}' is no NAME=VALUE", remedy="such as -p window=90d")
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            known = ", ".join(sorted(declared))
            raise InputRefused(
                f"the pipeline has no parameter '{name}'; it has {known}",
                remedy=f"did you mean '{near[0]}'?" if near else None,
            )
        found[name] = _value(name, value, declared[name]["parameterType"])
    return found


def demand(declared: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """
    Raises:
        InputRefused: a parameter without a default is missing.
    """
    missing = sorted(
        name for name, one in declared.items() if not one.get("isOptional") and name not in given
    )
    if missing:
        raise InputRefused(
            f"the pipeline needs '{missing[0]}': {declared[missing[0]].get('description', '')}",
            remedy=f"-p {missing[0]}=…",
        )


def _value(name: str, text: str, kind: str) -> Any:
    if kind != "BOOLEAN":
        return text
    if text.lower() not in ("true", "false"):
        raise InputRefused(f"parameter '{name}' is true or false, not '{text}'", remedy=f"-p {name}=true")
    return text.lower() == "true"


def _settings(platform: Platform, name: str) -> Pipelines:
    if platform.pipelines is None:
        raise InputRefused(
            f"platform '{name}' names no Kubeflow Pipelines server",
            remedy="give `pipelines: {url: …}` in platform.yaml",
        )
    return platform.pipelines


def _token(settings: Pipelines) -> Path | None:
    """The token to show: the platform's, else that of the pod that this runs in."""
    if settings.token_file:
        file = Path(settings.token_file)
        if not file.is_file():
            raise InputRefused(
                f"pipelines.tokenFile {file} is not there",
                remedy="kubectl create token trimtab-pipelines --audience pipelines.kubeflow.org > FILE",
            )
        return file
    projected = Path(os.environ.get(TOKEN_VARIABLE, TOKEN_OF_POD))
    return projected if projected.is_file() else None
