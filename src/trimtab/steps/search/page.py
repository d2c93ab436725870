"""The search as one self-contained HTML page."""

from typing import Final

from jinja2 import Environment

from trimtab.drift.figures import number, percent
from trimtab.drift.page import style
from trimtab.steps.search.pictures import HEIGHT, TOP, WIDTH, course, parallel
from trimtab.steps.search.question import Found

PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ project }}: search</title>
<style>{{ style | safe }}
.trials path { fill: none; stroke: var(--reference); stroke-width: 1.2 } .trials path.best { stroke: var(--current);
  stroke-width: 2.6; opacity: 1 } .dot { fill: var(--reference) } .drawing { padding: 16px 20px }
</style></head><body><main>
<div class="brand"><b>trimtab</b> &nbsp;search of {{ project }}</div>
<section class="card banner {{ 'stable' if gained else 'unknown' }}"><div>
<h1>{{ found.source.name }}</h1><p class="lead">{{ lead }}</p></div></section>
<section class="tiles">
<div class="card tile"><span>Best {{ found.metric }}</span><b>{{ "%.5f"|format(found.best.value) }}</b>
<small>mean of {{ found.folds|length }} folds, trial {{ found.best.number }}</small></div>
<div class="card tile"><span>The project's own</span><b>{% if found.own.value is not none %}
{{- "%.5f"|format(found.own.value) }}{% else %}failed{% endif %}</b><small>on the same folds</small></div>
<div class="card tile"><span>Trials</span><b>{{ found.tried|length }}</b><small>{{ found.count("complete") }} complete,
{{ found.count("pruned") }} given up, {{ found.count("failed") }} failed</small></div>
<div class="card tile"><span>Time</span><b>{{ "%.0f"|format(found.spent_s) }} s</b><small>all sittings</small></div>
</section>
{% if found.outer %}<h2>How good the procedure is</h2>
<p class="under">The whole search, made again before each outer fold and judged on rows that none of its trials saw.
Unlike the best trial's value, this is not flattered by the choice.</p>
<section class="card"><table><tr>{% for value in found.outer %}<th class="n">outer fold {{ loop.index }}{% endfor %}
<th class="n">mean<tr>{% for value in found.outer %}<td class="n">{{ "%.5f"|format(value) }}{% endfor %}
<td class="n"><b>{{ "%.5f"|format(found.outer|sum / found.outer|length) }}</b></table></section>{% endif %}
{% if course %}<h2>Course</h2><p class="under">Each dot is a complete trial; the line is the best so far.</p>
<section class="card drawing"><svg viewBox="0 0 {{ width }} {{ height + 14 }}" role="img" aria-label="Course">
{% for y, text in course.marks %}<line class="axis" x1="56" x2="{{ width - 50 }}" y1="{{ y }}" y2="{{ y }}"/>
<text x="50" y="{{ y + 4 }}" text-anchor="end">{{ text }}</text>{% endfor %}
<path class="line-current" d="{{ course.best }}"/>
{% for x, y, title in course.dots %}<circle class="dot" r="3.5" cx="{{ x }}" cy="{{ y }}"><title>{{ title }}</title>
</circle>{% endfor %}</svg></section>{% endif %}
{% for one in parallels %}<h2>{{ one.family }}</h2>
<p class="under">Each line is a complete trial, from its parameters to its {{ found.metric }} on the right: the paler,
the worse.{% if one.lines|selectattr("best")|list %} The best of all stands out.{% endif %}</p>
<section class="card drawing"><svg viewBox="0 0 {{ width }} {{ height + 14 }}" role="img"
aria-label="Trials of {{ one.family }}"><g class="trials">{% for line in one.lines %}<path d="{{ line.path }}"
class="{{ 'best' if line.best }}" opacity="{{ "%.2f"|format(0.9 - 0.7 * line.rank) }}"><title>{{ line.title }}</title>
</path>{% endfor %}</g>{% for axis in one.axes %}<line class="axis" x1="{{ axis.x }}" x2="{{ axis.x }}" y1="{{ top }}"
y2="{{ height }}"/><text x="{{ axis.x }}" y="16" text-anchor="middle">{{ axis.name }}</text>
{% for y, text in axis.marks %}<text x="{{ axis.x + 5 }}" y="{{ y + 4 }}">{{ text }}</text>{% endfor %}{% endfor %}
</svg></section>{% endfor %}
<h2>What mattered</h2>
{% if found.importances %}<p class="under">Share of each parameter in how the values of complete trials differ
(conditional PED-ANOVA).</p><section class="card drawing"><div class="bars">
{% for name, share in found.importances.items() %}<span class="name">{{ name }}</span><svg viewBox="0 0 600 14"
role="img" aria-label="{{ name }} {{ share | percent }}"><rect class="dot" height="10" y="2"
width="{{ "%.1f"|format(520 * share) }}"/><text x="{{ "%.1f"|format(520 * share + 6) }}" y="12">{{ share | percent }}
</text></svg>{% endfor %}</div></section>
{% else %}<p class="under">Too few complete trials to say.</p>{% endif %}
<h2>Folds</h2><section class="card scroll"><table><tr><th>fold<th>learned from<th class="n">rows<th>judged on
<th class="n">rows<th class="n">best<th class="n">own
{% for fold in folds %}<tr><td>{{ loop.index }}<td>{{ fold.taught }}<td class="n">{{ "{:,}".format(fold.taught_rows) }}
<td>{{ fold.judged }}<td class="n">{{ "{:,}".format(fold.judged_rows) }}
<td class="n">{{ fold.best }}<td class="n">{{ fold.own }}{% endfor %}</table></section>
<h2>Trials</h2><section class="card scroll"><table><tr><th class="n">trial<th>family<th>parameters<th>ended
<th class="n">{{ found.metric }}<th class="n">seconds
{% for one in ranked %}<tr><td class="n">{{ one.number }}
<td>{{ one.candidate.family if one.candidate else "the project's own" }}<td class="wrap">
{%- for name, value in (one.candidate.params if one.candidate else {}).items() %}{{ name }} {{ value | short }}
{%- if not loop.last %}, {% endif %}{% endfor %}<td class="wrap">{{ one.because or one.state }}
<td class="n">{% if one.value is not none %}{{ "%.5f"|format(one.value) }}{% else %}–{% endif %}
<td class="n">{{ "%.1f"|format(one.seconds) }}{% endfor %}</table></section>
</main></body></html>
"""


def html(project: str, found: Found) -> str:
    """The page; loads nothing from anywhere."""
    environment = Environment(autoescape=True)
    environment.filters |= {"percent": percent, "short": _short}
    families = dict.fromkeys(one.candidate.family for one in found.tried if one.candidate)
    drawn = [parallel(family, found.metric, found.tried, found.best.number) for family in families]
    by_value = sorted(found.tried, key=lambda one: (one.value is None, one.number))
    return environment.from_string(PAGE).render(
        style=style(),
        project=project,
        found=found,
        lead=lead(found),
        gained=found.best.candidate is not None,
        course=course(found.metric, found.tried),
        parallels=[one for one in drawn if one is not None],
        folds=_folds(found),
        ranked=by_value,
        width=WIDTH,
        height=HEIGHT,
        top=TOP,
    )


def lead(found: Found) -> str:
    """In one sentence, what the search found."""
    chosen = found.best.candidate
    if chosen is None:
        return f"No trial did better than the project's own model: {found.metric} {found.best.value:.5f}."
    params = ", ".join(f"{name} {_short(value)}" for name, value in chosen.params.items())
    own = found.own.value
    before = f"the project's own model has {own:.5f}" if own is not None else "the project's own model failed"
    return f"{chosen.family} with {params}: {found.metric} {found.best.value:.5f}; {before}."


def _short(value: object) -> str:
    return number(value, 4) if isinstance(value, float) else str(value)


def _folds(found: Found) -> list[dict[str, object]]:
    times = found.rows.times
    shown: list[dict[str, object]] = []
    for place, fold in enumerate(found.folds):
        spans = [
            "at random"
            if times is None
            else f"{str(times[rows].min())[:10]} to {str(times[rows].max())[:10]}"
            for rows in (fold.training, fold.validation)
        ]
        values = [
            f"{one.folds[place]:.5f}" if place < len(one.folds) else "–" for one in (found.best, found.own)
        ]
        shown.append(
            {
                "taught": spans[0],
                "taught_rows": len(fold.training),
                "judged": spans[1],
                "judged_rows": len(fold.validation),
                "best": values[0],
                "own": values[1],
            }
        )
    return shown
