"""`trimtab.Project`: the command's verbs in Python and in a notebook."""

import html
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from trimtab.api.errors import InputRefused

if TYPE_CHECKING:
    from trimtab.adapters.projects.home import Home
    from trimtab.adapters.projects.load import Loaded
    from trimtab.local.check import Findings
    from trimtab.ports.runs import Run

ROWS_SHOWN = 5


class Project:
    """A project's folder.

    >>> project = Project.load("examples/flights")  # doctest: +SKIP
    >>> project.check()                             # doctest: +SKIP
    >>> project.run()                               # doctest: +SKIP
    >>> project.predict(frame)                      # doctest: +SKIP
    """

    def __init__(self, loaded: "Loaded", home: "Home", platform: str | None = None) -> None:
        self._loaded, self._home, self._platform = loaded, home, platform

    @classmethod
    def load(cls, folder: str | Path = ".", platform: str | None = None) -> Self:
        """The project in a folder.

        Raises:
            trimtab.api.errors.InputRefused: no trimtab.yaml there, or something in it is wrong.
        """
        from trimtab.bootstrap.local import open_project

        return cls(*open_project(Path(folder), platform), platform)

    @property
    def name(self) -> str:
        return self._loaded.project.name

    @property
    def folder(self) -> Path:
        return self._loaded.root

    def check(self) -> "Findings":
        """Everything that is wrong with its files, as they stand now; empty `problems` when nothing is."""
        from trimtab.local.check import check_project

        return check_project(self.folder, self._platform)

    def run(
        self, until: datetime | str | None = None, window: str | None = None, *, quiet: bool = False
    ) -> "Run":
        """Run the training pipeline over the files as they stand now; a line a step is written.

        Args:
            until: nothing from this time on is read; None for now.
            window: how far back examples go, such as "90d" or "all"; None for the project's own.
            quiet: write nothing.

        Returns:
            the run: `passed` (its gates), `because`, `version` in the registry.

        Raises:
            trimtab.local.runs.TaskFailed: a step failed; names it, its reason and its log.
        """
        from trimtab.bootstrap.local import open_project
        from trimtab.local.training import train

        loaded, home = open_project(self.folder, self._platform)
        self._loaded = loaded
        return train(loaded, home, _silent if quiet else _told, until=_moment(until), window=window)

    def features(self, rows: Any) -> Any:
        """The model's features of rows, looked up as of each row's own time.

        Args:
            rows: pandas, polars or Arrow; the fields of REQUEST, and `examples.time` where a View has a time.

        Returns:
            the same kind, a row for each row, in their order.
        """
        from trimtab.local.example_features import features
        from trimtab.local.frame_kinds import as_arrow, like

        return like(rows, features(self._loaded, self._home, as_arrow(rows)))

    def predict(self, rows: Any) -> Any:
        """What the model in service (else the candidate) answers, in this process.

        Args:
            rows: pandas, polars or Arrow; the fields of a request. Columns of Views replace their look-up.

        Returns:
            the same kind: `prediction` (the positive class's probability, the value, or of several classes the
            likeliest; then `probability_<class>` of each too), in the order of the rows.
        """
        from trimtab.bootstrap.local import platform_of
        from trimtab.local.frame_kinds import as_arrow, like
        from trimtab.local.served_model import in_service, predict

        table, file = as_arrow(rows), self._home.online
        online = platform_of(self._loaded).online or (str(file) if file.exists() else None)
        return like(rows, predict(in_service(self._loaded, self._home), online, table))

    def __repr__(self) -> str:
        return f"Project({self.name!r}, {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        from trimtab.local.runs import recorded

        project = self._loaded.project
        label = project.examples.label
        facts = {
            "folder": str(self.folder),
            "sources": ", ".join(project.sources),
            "tables": ", ".join(project.tables) or "none",
            "examples": f"{project.examples_table}, by {', '.join(project.examples.key) or 'row'}",
            "label": label.column,
            "model": project.model if isinstance(project.model, str) else project.model.family,
        }
        rows = "".join(
            f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in facts.items()
        )
        runs = "".join(
            f"<tr><th>{html.escape(record.id)}</th><td>{html.escape(record.outcome())}</td></tr>"
            for record in recorded(self._home)[:ROWS_SHOWN]
        )
        return f"<h4>{html.escape(self.name)}</h4><table>{rows}{runs}</table>"


def _moment(given: datetime | str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise InputRefused(
            f"until={given!r}: no RFC 3339 time", remedy="such as 2013-07-01T00:00:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _silent(event: Mapping[str, Any]) -> None:
    """For a run that says nothing."""


def _told(event: Mapping[str, Any]) -> None:
    if event["event"] == "run_started":
        sys.stdout.write(f"run {event['run']}\n")
    elif event["event"] == "task_ended":
        done = "done" if event["succeeded"] else "failed"
        sys.stdout.write(f"  {done:<6} {event['task']:<12} {event['seconds']:7.2f} s\n")
    sys.stdout.flush()
