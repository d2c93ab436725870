"""The evaluation as one self-contained HTML page."""

from typing import TYPE_CHECKING

from trimtab.api.project import Project
from trimtab.steps.fitting.fitted import FittedModel

if TYPE_CHECKING:
    from trimtab.steps.evaluate import Evaluated

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ project.name }}: evaluation</title>
<style>
:root { color-scheme: light dark; --ink: #1c2733; --soft: #66727f; --line: #d8dee5; --good: #13795b; --bad: #b3261e;
  --bar: #2f6fde; --paper: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #97a3b0; --line: #333d48; --good: #55c79c;
  --bad: #ff8a80; --bar: #7aa7ff; --paper: #14191f } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 860px;
  margin: 2.5rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p { margin: .4rem 0; color: var(--soft) } .good { color: var(--good) } .bad { color: var(--bad) }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; color: var(--soft) }
td, th { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line) } .n { text-align: right }
td.n { font-variant-numeric: tabular-nums } svg { max-width: 100% } .axis { stroke: var(--line) }
.dot { fill: var(--bar) } text { fill: var(--soft); font-size: 11px }
</style>
<h1>{{ project.name }} <span class="{{ 'good' if found.passed else 'bad' }}">{{ verdict }}</span></h1>
<p>{{ found.because }}</p>
<p>{{ model.name }}, fitted on {{ "{:,}".format(model.rows) }} rows
{%- if model.learned_to %} of {{ model.learned_from[:10] }} to {{ model.learned_to[:10] }}{% endif %};
judged on {{ "{:,}".format(found.rows) }} rows{% if found.days > 1 %} of {{ found.days }} days{% endif %}.</p>
{% if found.gates %}<h2>Gates</h2><table><tr><th>gate<th>says
{% for gate in found.gates %}<tr><td>{{ gate.gate.metric }}
<td class="{{ '' if gate.passed else 'bad' }}">{{ gate.because }}{% endfor %}</table>{% endif %}
<h2>Metrics</h2><table><tr><th>metric<th class="n">value
{% for name, value in found.metrics.items() %}<tr><td>{{ name }}<td class="n">{{ "%.4f"|format(value) }}{% endfor %}
</table>
{% if found.calibration %}<h2>Calibration</h2><p>What was said, and what came true; on the line, both agree.</p>
<svg viewBox="0 0 320 320" width="320" role="img" aria-label="Calibration">
<line class="axis" x1="30" y1="290" x2="310" y2="290"/><line class="axis" x1="30" y1="290" x2="30" y2="10"/>
<line class="axis" x1="30" y1="290" x2="310" y2="10" stroke-dasharray="4 4"/>
<text x="30" y="306">0</text><text x="300" y="306">1</text><text x="12" y="18">1</text>
{% for bin in found.calibration %}<circle class="dot" r="4" cx="{{ 30 + 280 * bin.predicted }}"
 cy="{{ 290 - 280 * bin.observed }}"><title>{{ bin.rows }} rows: said {{ "%.3f"|format(bin.predicted) }},
came true {{ "%.3f"|format(bin.observed) }}</title></circle>{% endfor %}</svg>{% endif %}
{% if found.slices %}<h2>Slices</h2><table><tr><th>column<th>value<th class="n">rows
{% for name in found.metrics %}<th class="n">{{ name }}{% endfor %}
{% for one in found.slices %}<tr><td>{{ one.column }}<td>{{ one.value or "(missing)" }}
<td class="n">{{ "{:,}".format(one.rows) }}{% for name in found.metrics %}<td class="n">
{%- if one.metrics[name] == one.metrics[name] %}{{ "%.4f"|format(one.metrics[name]) }}{% else %}–{% endif %}
{%- endfor %}{% endfor %}</table>{% endif %}
</html>
"""


def render(project: Project, model: FittedModel, found: "Evaluated") -> str:
    """The page."""
    from jinja2 import Environment

    verdict = "forced past its gates" if found.forced else "passed" if found.passed else "refused"
    page = Environment(autoescape=True).from_string(_PAGE)
    return page.render(project=project, model=model, found=found, verdict=verdict)
