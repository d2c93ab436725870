"""The page put together; it loads nothing from anywhere."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from trimtab.drift.page import style
from trimtab.local.demo.report import words
from trimtab.local.demo.report.alarms import reigns
from trimtab.local.demo.report.course import monthly, panels
from trimtab.local.demo.report.decisions import decisions
from trimtab.local.demo.report.heat import heat
from trimtab.local.demo.report.lineage import lineage
from trimtab.local.demo.report.summary import headline, lead, notes, refusals, tiles
from trimtab.local.demo.report.timeline import timeline
from trimtab.local.demo.report.told import Told
from trimtab.local.demo.report.worth import same_flights


def html(story: Mapping[str, Any]) -> str:
    """The page for a story as `trimtab.local.demo.result` writes it, read back from JSON."""
    import jinja2

    told = Told.of(story)
    chapters = decisions(told)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trimtab.local.demo.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"at": _at}
    return environment.get_template("report.html.j2").render(
        style=style() + files(__package__).joinpath("templates/report.css").read_text("utf-8"),
        headline=headline(told),
        lead=lead(told),
        tiles=tiles(told),
        revisions=[{"name": name, "colour": told.colour(one)} for one, name in told.names.items()],
        timeline=timeline(told, chapters),
        chapters=chapters,
        panels=panels(told),
        tests=reigns(told),
        monthly=monthly(told),
        same=same_flights(told),
        heat=heat(told),
        refusals=refusals(told),
        lineage=lineage(told),
        notes=notes(told),
        log=[
            {
                "at": words.moment(one.at, told.zone),
                "what": one.kind,
                "revision": told.name(one.revision) if one.revision else "",
                "because": one.because,
            }
            for one in told.events
        ],
    )


def _at(value: float) -> str:
    """A coordinate."""
    return f"{value:.1f}"
