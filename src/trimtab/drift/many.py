"""Many columns at once: which p-values are small together."""

from collections.abc import Mapping


def rejected(p_values: Mapping[str, float], level: float) -> frozenset[str]:
    """The names that Benjamini & Hochberg (1995) reject: of those, at most `level` are false on average.

    >>> sorted(rejected({"a": 0.001, "b": 0.03, "c": 0.9}, level=0.05))
    ['a', 'b']
    """
    ranked = sorted(p_values, key=lambda name: p_values[name])
    last = 0
    for place, name in enumerate(ranked, start=1):
        if p_values[name] <= level * place / len(ranked):
            last = place
    return frozenset(ranked[:last])
