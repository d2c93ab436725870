"""report: one page on what a run left behind, whatever became of it."""

from collections.abc import Sequence

from jinja2 import Environment

from trimtab.ports.registry import ModelVersion
from trimtab.ports.tables import TableVersion

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{ project }}: run until {{ until }}</title>
<style>
:root { color-scheme: light dark; } body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .8rem;
  border-bottom: 1px solid #8884; }
</style>
<h1>{{ project }}</h1>
<p>Data until {{ until }}. The run ended as <b>{{ state }}</b>.{% if error %} {{ error }}{% endif %}</p>
<h2>Tables</h2>
<table><tr><th>table<th>version<th>rows<th>digest</tr>
{% for table in tables %}<tr><td>{{ table.name }}<td>{{ table.version }}
<td>{{ "{:,}".format(table.rows) }}<td><code>{{ table.digest[:12] }}</code></tr>
{% endfor %}</table>
{% for table in tables %}{% for warning in table.metadata.get("warnings", ()) %}
<p>Warning: {{ warning }}.</p>
{% endfor %}{% endfor %}
<h2>Model versions</h2>
<table><tr><th>version<th>data until<th>log loss<th>verdict of the gates</tr>
{% for one in versions %}<tr><td>{{ one.version }}<td>{{ one.tags.get("trimtab.until", "") }}
<td>{{ one.tags.get("trimtab.metric.log_loss", "") }}<td>{{ one.tags.get("trimtab.because", "") }}</tr>
{% endfor %}</table>
</html>
"""


def html(
    project: str,
    until: str,
    state: str,
    error: str,
    tables: Sequence[TableVersion],
    versions: Sequence[ModelVersion],
) -> str:
    """The page, self-contained."""
    newest = sorted(versions, key=lambda one: -int(one.version))
    page = Environment(autoescape=True).from_string(PAGE)
    return page.render(project=project, until=until, state=state, error=error, tables=tables, versions=newest)
