"""What a pipeline task works with: a bundle's project and the adapters over its `.trimtab`."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trimtab.adapters import machine
from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.adapters.files import LocalFiles
from trimtab.adapters.kubernetes.own_image import own_image
from trimtab.adapters.projects.bundle import content, digest
from trimtab.adapters.projects.commit import noted
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded, load, load_platform
from trimtab.adapters.projects.lock import lock_of
from trimtab.api.document import read, validate
from trimtab.api.errors import InputRefused
from trimtab.api.expectations import Expectations
from trimtab.api.platform import Platform
from trimtab.api.project import FAMILIES
from trimtab.api.provenance import Bundle, Provenance
from trimtab.api.sources import Source
from trimtab.bootstrap.artefacts import digest_of
from trimtab.ports.tables import Pointer
from trimtab.steps.data_versions import data_versions

if TYPE_CHECKING:
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.ports.registry import Registry
    from trimtab.ports.studies import Studies
    from trimtab.ports.trials import Trials
    from trimtab.ports.workers import Workers
    from trimtab.steps.fitting.circumstances import Circumstances

PLATFORM_VARIABLE = "TRIMTAB_PLATFORM"
MLFLOW_VARIABLE = "TRIMTAB_MLFLOW"
"""Address of an MLflow server that tracks and registers in place of `.trimtab/mlflow`; `none` tracks nothing."""
UNTRACKED = "none"
WHERE_VARIABLE = "TRIMTAB_WHERE"
"""In place of training.where: a run that is made again makes no pods."""
HOME_VARIABLE = "TRIMTAB_HOME"
"""The folder whose `.trimtab` all tasks of a run share, where their project is an address."""
MODELS_VARIABLE = "TRIMTAB_MODELS"
"""What `.trimtab/models` is called by who serves from it, such as pvc://models/flights."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a task works with: the bundle's project and the adapters over its `.trimtab`."""

    loaded: Loaded
    home: Home
    platform: Platform
    tables: DeltaTables
    engine: DuckEngine
    files: LocalFiles

    @classmethod
    def open(cls, bundle: str) -> "Workplace":
        """The workplace of a bundle: of a folder in `.trimtab/bundles/` of its project, or of an archive's address.

        Raises:
            InputRefused: no bundle there, or not the one that its address says.
        """
        folder = Path(bundle) if "://" not in bundle else fetched_bundle(bundle)
        home = Home(folder.parent.parent)
        loaded = load(folder)
        platform = load_platform(folder, os.environ.get(PLATFORM_VARIABLE) or None)
        tables = tables_of(platform, home)
        scratch = home.path / "tmp"
        root = Path(platform.data_root) if platform.data_root else Path()
        return cls(
            loaded=loaded,
            home=home,
            platform=platform,
            tables=tables,
            engine=DuckEngine(tables, scratch=scratch),
            files=LocalFiles(data_root=home.path.parent / root, scratch=scratch),
        )

    def source(self, name: str) -> Source:
        """A source, read from where the platform says."""
        source = self.loaded.project.sources[name]
        elsewhere = self.platform.sources.get(name)
        return source if elsewhere is None else source.model_copy(update={"files": elsewhere})

    @property
    def online(self) -> str:
        """Address of the online store."""
        return self.platform.online or str(self.home.online)

    def expectations(self) -> Expectations | None:
        file = self.loaded.project.expectations
        if file is None:
            return None
        return validate(Expectations, read((self.loaded.root / file).read_text(encoding="utf-8"), file))

    def tracking(self) -> "MlflowTracking | None":
        server = os.environ.get(MLFLOW_VARIABLE)
        if server == UNTRACKED:
            return None
        from trimtab.adapters.mlflow import MlflowTracking

        if server:
            return MlflowTracking(server)
        return MlflowTracking(tracking_uri(self.home), self.home.mlflow / "artifacts")

    @property
    def where(self) -> Literal["here", "ray", "kuberay"]:
        """Where processes that learn together are."""
        if (os.environ.get(WHERE_VARIABLE) or self.loaded.project.training.where) == "kuberay":
            return "kuberay"
        return "ray" if os.environ.get("RAY_ADDRESS") else "here"

    def workers(self) -> "Workers":
        """Processes that learn together, where the project wants them."""
        from trimtab.adapters.kuberay import KubeRayWorkers
        from trimtab.adapters.ray import RayWorkers

        folder = self.home.path / "tmp"
        if self.where == "kuberay":
            return KubeRayWorkers(folder)
        return RayWorkers(folder)

    def trials(self) -> "Trials":
        """Where the trials of a search run."""
        from trimtab.adapters.kuberay import KubeRayTrials, RayPods
        from trimtab.adapters.ray import RayTrials
        from trimtab.steps.search.one_by_one import OneByOne

        project, folder = self.loaded.project, self.home.path / "tmp"
        at_once, how = project.search.at_once if project.search else 1, project.training
        if at_once == 1:
            return OneByOne()
        if self.where == "kuberay":
            return KubeRayTrials(RayPods(folder), at_once, how.threads, how.device)
        return RayTrials(folder, at_once, how.threads, how.device)

    def studies(
        self, features: Pointer, until: str, window: str, aside: Path, say: Callable[[str], None]
    ) -> "Studies":
        """A search's trials, kept until its model is fitted: who makes the same search after a killed task goes on.

        Args:
            until, window: the run's.
            aside: a file of this task, where another process already makes this search.
        """
        from trimtab.adapters.optuna import claimed

        # By the families of this release too: a study of other ones cannot be gone on with.
        same = digest_of((self.loaded.root.name, features.digest, until, window, *FAMILIES))
        return claimed(self.home.searches / same, aside, say)

    def registry(self, beside: Sequence[Path] = ()) -> "Registry":
        """The registry of `.trimtab`, or that of the server that the run was given.

        Args:
            beside: small files that a server keeps with a version that is registered.
        """
        from trimtab.adapters.mlflow import MlflowRegistry, MlflowServer, MlflowServerRegistry

        if server := os.environ.get(MLFLOW_VARIABLE):
            return MlflowServerRegistry(MlflowServer(server), beside)
        return MlflowRegistry(tracking_uri(self.home))

    def published(self, folder: Path) -> str:
        """The address of a model folder for who serves it: under what `.trimtab/models` is called elsewhere."""
        elsewhere = os.environ.get(MODELS_VARIABLE)
        return f"{elsewhere.rstrip('/')}/{folder.name}" if elsewhere else str(folder)

    def folder(self, uri: str) -> Path:
        """The model folder that `published` gave this address."""
        elsewhere = os.environ.get(MODELS_VARIABLE)
        inside = bool(elsewhere) and uri.startswith(f"{str(elsewhere).rstrip('/')}/")
        return self.home.models / uri.rsplit("/", 1)[1] if inside else Path(uri)

    def provenance(self, features: Pointer, until: str, window: str) -> Provenance:
        """What makes a model of these features, here and now; its results are still to come.

        Args:
            until, window: the run's, as it was started.
        """
        root = self.loaded.root
        files = content(self.loaded)
        whole = digest(root, files)
        return Provenance(
            project=self.loaded.project.name,
            recorded_at=datetime.now(UTC).isoformat(),
            until=until,
            window=window,
            bundle=Bundle(
                name=root.name,
                digest=whole,
                files={name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in files},
            ),
            code=noted(root, whole),
            data=data_versions(features, self.tables),
            lock=lock_of(root),
            libraries=machine.libraries(),
            image=own_image(),
            hardware=machine.hardware(),
            determinism=machine.determinism(self.loaded.project.training.seed),
        )

    def learned(self, made: Provenance, circumstances: "Circumstances") -> Provenance:
        """The provenance of a model that has learned under these circumstances."""
        devices = circumstances.devices
        fit = {"threads": dict(circumstances.threads), "torch": dict(circumstances.switches)}
        on = {"devices": devices, "workers": self.where if len(devices) > 1 else ""}
        return made.model_copy(
            update={
                "determinism": made.determinism.model_copy(update=fit),
                "hardware": made.hardware.model_copy(update=on),
            }
        )


def tables_of(platform: Platform, home: Home) -> DeltaTables:
    """The tables of a project, in `.trimtab` or where the platform says."""
    return DeltaTables(platform.tables or home.tables)


def fetched_bundle(address: str) -> Path:
    """The bundle of an archive, unpacked in the `.trimtab` of the volume that all tasks share.

    Raises:
        InputRefused: no bundle there, not the one that its address says, or no place that tasks share.
        SurroundingsFailed: the storage cannot be reached.
    """
    from trimtab.adapters.projects.archive import bundle_name, unpacked

    root = os.environ.get(HOME_VARIABLE)
    if not root:
        raise InputRefused(
            f"{address} is an address, and {HOME_VARIABLE} names no folder that all tasks share",
            remedy="give pods.volume in platform.yaml, and compile with --platform",
        )
    bundles = Home.of(Path(root)).bundles
    there = bundles / bundle_name(address)
    return there if there.exists() else unpacked(address, bundles)


def tracking_uri(home: Home) -> str:
    """MLflow's address: an SQLite file in `.trimtab`."""
    from trimtab.adapters.mlflow.client import local_uri

    return local_uri(home.mlflow / "mlflow.db")
