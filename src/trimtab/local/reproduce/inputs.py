"""Whether what a run started from is still there, and still is what it was: the bundle and the table versions."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from trimtab.adapters.object_store import there
from trimtab.adapters.projects.archive import SUFFIX, unpacked
from trimtab.adapters.projects.bundle import content, digest, pack
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.provenance import DataVersion, Provenance
from trimtab.local.reproduce.comparison import NOTHING, Cause, Difference
from trimtab.ports.engine import Engine, SqlFailed
from trimtab.ports.tables import Pointer, Tables
from trimtab.steps.content import sums


def bundle_of(recorded: Provenance, loaded: Loaded, home: Home, projects: str | None) -> Path:
    """The run's bundle; where it is not here, packed anew of files that still are the same, else its archive.

    Args:
        projects: the address under which the platform has archives.

    Raises:
        SurroundingsFailed: there is none, and the files have changed; or the storage cannot be reached.
    """
    folder = home.bundles / recorded.bundle.name
    if folder.is_dir():
        return folder
    if digest(loaded.root, content(loaded)) == recorded.bundle.digest:
        return pack(loaded, home.bundles)
    archive = f"{recorded.bundle.name}{SUFFIX}"
    if projects:
        with suppress(InputRefused):  # none there, or another one
            return unpacked(f"{projects.rstrip('/')}/{archive}", home.bundles)
    commit = f"check out commit {recorded.code.commit[:12]}" if recorded.code else "restore its files"
    where = f", or put {archive} under {projects}" if projects else ""
    raise SurroundingsFailed(
        f"bundle {recorded.bundle.name} is not here, and the project's files are others",
        remedy=f"{commit}, and try again: it is packed anew{where}",
    )


def changed_files(recorded: Provenance, bundle: Path) -> Iterator[Difference]:
    """Files of the bundle that somebody changed, though bundles never change."""
    for name, was in recorded.bundle.files.items():
        path = bundle / name
        now = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else NOTHING
        if now != was:
            yield Difference(Cause.BUNDLE, name, was, now)


def changed_versions(recorded: Provenance, tables: Tables, engine: Engine) -> Iterator[Difference]:
    """Source versions whose rows are others than those that the run read; every row is read for it.

    Raises:
        SurroundingsFailed: a version is gone, or cannot be read.
    """
    for name, held in recorded.sources().items():
        _demand(name, held, tables)
        try:
            now = _digest(held, tables, engine)
        except SqlFailed as error:
            raise SurroundingsFailed(
                f"version {held.version} of source '{name}' cannot be read: {error.message.splitlines()[0]}",
                remedy=f"restore table '{held.table}' from a backup",
            ) from error
        if now != held.digest:
            yield Difference(Cause.DATA, f"{name} (version {held.version})", held.digest, now)


def _demand(name: str, held: DataVersion, tables: Tables) -> None:
    remedy = (
        f"restore table '{held.table}' from a backup; only `trimtab clean` and Delta's vacuum remove versions"
    )
    try:
        tables.at(held.table, held.version)
        files = tables.files(held.table, held.version)
    except InputRefused as error:
        if tables.head(held.table) is None:
            remedy = (
                "make the run again where its tables lie: in its own folder, or with --platform and the name of the "
                "platform whose bucket has them"
            )
        raise SurroundingsFailed(
            f"version {held.version} of source '{name}' is gone: {error.message}", remedy=remedy
        ) from error
    lost = [Path(file).name for file in files if not there(file)]
    if lost:
        raise SurroundingsFailed(
            f"version {held.version} of source '{name}' is gone: {len(lost)} of its {len(files)} files were "
            f"removed, such as {lost[0]}: the table was vacuumed",
            remedy=remedy,
        )


def _digest(held: DataVersion, tables: Tables, engine: Engine) -> str:
    """The digest of the rows as they lie there now."""
    version = tables.at(held.table, held.version)
    with engine.session() as session:
        session.mount("held", Pointer(held.table, held.version, version.rows, version.digest))
        return sums(session, "held", version.columns).digest(version.columns)


def demand_own(recorded: Provenance, loaded: Loaded, named: str) -> None:
    """
    Raises:
        InputRefused: the run is another project's.
    """
    if recorded.project != loaded.project.name:
        raise InputRefused(
            f"{named} is a run of project '{recorded.project}'; this is '{loaded.project.name}'",
            remedy=f"go to the folder of '{recorded.project}', whose tables it read",
        )
