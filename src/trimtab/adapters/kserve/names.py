"""Names of what is made for a revision.

KServe renders `<name>-predictor-<namespace>` (with a transformer `<name>-transformer-<namespace>`) into one DNS label,
so the name and its namespace have 52 (50) characters together.
"""

from typing import Final

from trimtab.adapters.children import Place, cut
from trimtab.api.errors import InputRefused

TOGETHER: Final = 52
TOGETHER_WITH_TRANSFORMER: Final = 50
SHORTEST_CUT: Final = 6
HASH_LENGTH: Final = 8


def service_name(place: Place, revision: str, *, transformer: bool) -> str:
    """Name of a revision's InferenceService: `<rollout, cut>-<hash8>`.

    Raises:
        InputRefused: the namespace's name leaves no room.

    >>> service_name(Place("default", "flights"), "0123abcd", transformer=False)
    'flights-0123abcd'
    """
    together = TOGETHER_WITH_TRANSFORMER if transformer else TOGETHER
    room = together - len(place.namespace) - HASH_LENGTH - 1
    if room < SHORTEST_CUT:
        raise InputRefused(
            f"namespace '{place.namespace}' is too long: KServe renders an InferenceService's name and its "
            f"namespace into one DNS label, and '-<hash8>' needs its part",
            remedy=f"use a namespace of at most {together - HASH_LENGTH - 1 - SHORTEST_CUT} characters",
        )
    return f"{cut(place.rollout, room)}-{revision}"


def collector_url(namespace: str) -> str:
    """Where inference events of a namespace go."""
    return f"http://trimtab-collector.{namespace}.svc"
