"""docs/reference/rights.md: what the operator may do, from the table that its roles are made of."""

from operators.drift.rbac import RULES, Rule

HEAD = """<!-- Generated from operators/drift/rbac.py by `make generate`. -->
# What the operator may do

The chart's roles are made from this table. A test records every call of the operator's suite, and fails on a right
that is missing or unused. What it means: [security.md](../security.md).
"""
PLACES = {
    "namespaces": "In each namespace that it looks after (in all, where none are named)",
    "cluster": "Of what has no namespace, and of gateways wherever they stand",
    "own": "In its own namespace",
}


def rights_page() -> str:
    """The page."""
    parts = [HEAD]
    for where, title in PLACES.items():
        rows = [_row(rule) for rule in RULES if rule.where == where]
        parts.append("\n".join([f"## {title}\n", "| may | what | to |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _row(rule: Rule) -> str:
    group = f" of `{rule.group}`" if rule.group else ""
    named = f" named {', '.join(f'`{name}`' for name in rule.names)}" if rule.names else ""
    return f"| {', '.join(rule.verbs)} | {', '.join(rule.resources)}{group}{named} | {rule.because} |"
