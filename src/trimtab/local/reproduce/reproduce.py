"""reproduce: a run made again from what it recorded, and whether it comes out the same to the bit."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.duckdb import DuckEngine
from trimtab.adapters.machine import VARIABLES
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.adapters.projects.lock import lock_of
from trimtab.api.errors import ExitStatus, SurroundingsFailed, TrimtabError
from trimtab.api.provenance import PROVENANCE, Provenance
from trimtab.bootstrap.local import platform_of, tables_here
from trimtab.bootstrap.workplace import (
    MLFLOW_VARIABLE,
    MODELS_VARIABLE,
    UNTRACKED,
    WHERE_VARIABLE,
)
from trimtab.local.reproduce.comparison import SURROUNDINGS, Difference, differences
from trimtab.local.reproduce.inputs import bundle_of, changed_files, changed_versions
from trimtab.local.reproduce.rebuild import FAILURE
from trimtab.local.reproduce.recorded import provenance_named

LOG: Final = "rebuild.log"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How a run came out the second time.

    Attributes:
        rebuilt: with the lock file that the project has now; None where bundle or data are not those of the run, so
            that nothing was rebuilt.
        differences: causes first; where `identical`, what differs to no effect.
    """

    run: str
    recorded: Provenance
    rebuilt: Provenance | None
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def identical(self) -> bool:
        """Every table, the features, the fitted model, each exported byte and each prediction are the same."""
        return self.rebuilt is not None and all(one.cause in SURROUNDINGS for one in self.differences)

    @property
    def first(self) -> Difference | None:
        """What explains that the run came out otherwise: its first cause. None of an identical run."""
        return None if self.identical else self.differences[0]

    @property
    def effect(self) -> Difference | None:
        """The first result that came out otherwise."""
        return next((one for one in self.differences if one.cause not in SURROUNDINGS), None)


def reproduce(
    run: str,
    loaded: Loaded,
    home: Home,
    tell: Callable[[str], None] = lambda _: None,
    keep: Path | None = None,
) -> Reproduction:
    """Make a run again, in a scratch folder: tables, registry and what is in service stay as they are.

    Args:
        run: as `provenance_named` takes it.
        tell: hears what is being done.
        keep: leave the scratch folder here; None removes it.

    Raises:
        InputRefused: no such run, or nothing to make again.
        SurroundingsFailed: the bundle or a data version is gone, or the disk failed.
    """
    began = time.monotonic()
    recorded = provenance_named(run, loaded, home)

    def ended(rebuilt: Provenance | None, found: tuple[Difference, ...]) -> Reproduction:
        return Reproduction(run, recorded, rebuilt, found, time.monotonic() - began)

    tell("bundle")
    if found := tuple(
        changed_files(recorded, bundle_of(recorded, loaded, home, platform_of(loaded).projects))
    ):
        return ended(None, found)
    tell("data versions")
    tables = tables_here(loaded, home)
    if found := tuple(changed_versions(recorded, tables, DuckEngine(tables, scratch=home.path / "tmp"))):
        return ended(None, found)
    tell("rebuilding: build, validate, featurize, train, refit, export")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        rebuilt = _rebuilt(recorded, home, keep.resolve())
    else:
        (home.path / "tmp").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="reproduce-", dir=home.path / "tmp") as scratch:
            rebuilt = _rebuilt(recorded, home, Path(scratch))
    here = rebuilt.model_copy(update={"lock": lock_of(loaded.root)})
    return ended(here, differences(recorded, here))


def _rebuilt(recorded: Provenance, home: Home, scratch: Path) -> Provenance:
    """In a process of its own, whose threads and hash seed are set as they were."""
    given = scratch / "recorded.json"
    given.write_text(recorded.to_json(), encoding="utf-8")
    command = [
        sys.executable, "-m", "trimtab.local.reproduce.rebuild", str(given), str(home.path.parent), str(scratch),
    ]  # fmt: skip
    with (scratch / LOG).open("wb") as log:
        done = subprocess.run(
            command, env=_environment(recorded), stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False
        )
    if done.returncode == 0:
        return Provenance.from_json((scratch / PROVENANCE).read_bytes())
    if (scratch / FAILURE).is_file():
        told = json.loads((scratch / FAILURE).read_text())
        raise _failed(told)
    said = (scratch / LOG).read_text(errors="replace").strip().splitlines()
    raise SurroundingsFailed(
        f"the rebuild ended with status {done.returncode}: {said[-1] if said else 'it said nothing'}",
        remedy="run it again with --keep FOLDER, and see rebuild.log there",
    )


def _environment(recorded: Provenance) -> Mapping[str, str]:
    """This process's, with the switches of the run, without a tracking server or pods of their own."""
    own = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, MODELS_VARIABLE)}
    ours = {MLFLOW_VARIABLE: UNTRACKED, WHERE_VARIABLE: "here"}
    return own | recorded.determinism.variables | ours


def _failed(told: Mapping[str, Any]) -> TrimtabError:
    error = TrimtabError(f"the rebuild failed: {told['message']}", remedy=told["remedy"])
    error.status = ExitStatus(told["status"])
    return error
