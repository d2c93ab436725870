"""What validation found, as one self-contained HTML page."""

from html import escape

from trimtab.steps.checks import Judged
from trimtab.steps.validate import TableJudged, Validated

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --paper: #fff; --bad: #b3261e;
  --warn: #8a5a00; --good: #1f6f43; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf1; --soft: #9aa6b4; --line: #323a45; --paper: #14181d;
  --bad: #ff8a80; --warn: #f0b95b; --good: #7fd1a0; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { white-space: nowrap; width: 7rem; } .note { color: var(--soft); }
.fail { color: var(--bad); font-weight: 600; } .quarantine, .warn { color: var(--warn); font-weight: 600; }
.holds { color: var(--good); font-weight: 600; } code { font-size: .9em; }
"""


def html(validated: Validated, title: str) -> str:
    """The page. It loads nothing and follows the reader's light or dark scheme."""
    verdict = "passed" if validated.passed else "did not pass"
    tables = "\n".join(_table(one) for one in validated.tables.values())
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}: {verdict}</h1>\n{tables}\n</body></html>\n"
    )


def _table(table: TableJudged) -> str:
    note = f"{table.rows:,} rows of version {table.good.version if not table.quarantined else 'as read'}"
    if table.quarantine is not None:
        note += (
            f", {table.quarantined:,} of them in quarantine: <code>{escape(table.quarantine.table)}</code> "
            f"version {table.quarantine.version}"
        )
    if not table.judged:
        return f'<h2>{escape(table.table)}</h2><p class="note">{note}; nothing is expected of it.</p>'
    rows = "\n".join(_row(one) for one in table.judged)
    return (
        f'<h2>{escape(table.table)}</h2><p class="note">{note}</p>'
        f"<table><thead><tr><th>verdict</th><th>expected</th><th>found</th></tr></thead>"
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _row(one: Judged) -> str:
    word = one.otherwise if one.broken else "holds"
    examples = "".join(f'<br><code class="note">{escape(example)}</code>' for example in one.examples)
    return f'<tr><td class="{word}">{word}</td><td>{escape(one.says)}</td><td>{escape(one.found)}{examples}</td></tr>'
