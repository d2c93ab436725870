"""Beginning a table anew: its folder goes, and what was judged of its rows with it."""

import difflib
import shutil

from trimtab.adapters.projects.home import Home
from trimtab.api.errors import InputRefused, SurroundingsFailed

JUDGED = ("_valid", "_quarantine", "_features")


def remove_table(home: Home, name: str) -> None:
    """Remove one table of a project, and the good, bad and featurized rows that were made of it.

    Raises:
        InputRefused: there is no such table.
        SurroundingsFailed: it cannot be removed.
    """
    known = sorted(
        str(log.parent.relative_to(home.tables)) for log in home.tables.rglob("_delta_log") if log.is_dir()
    )
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known) or 'none yet'}"
        raise InputRefused(f"there is no table '{name}'", remedy=hint)
    try:
        for folder in (home.tables / name, *(home.tables / judged / name for judged in JUDGED)):
            if folder.exists():
                shutil.rmtree(folder)
    except OSError as error:
        raise SurroundingsFailed(f"table '{name}' cannot be removed: {error.strerror}",
                                 remedy=f"remove {home.tables / name} yourself") from error  # fmt: skip
