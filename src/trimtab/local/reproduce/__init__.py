"""A run made again from what it recorded, in a scratch folder, and held beside what it had made.

`recorded` finds the provenance of a run or a version, `inputs` proves that bundle and table versions still are what
they were, `rebuild` runs the steps anew in a process of its own, and `comparison` names what differs, causes before
effects.
"""

from trimtab.local.reproduce.comparison import Difference
from trimtab.local.reproduce.reproduce import Reproduction, reproduce

__all__ = ["Difference", "Reproduction", "reproduce"]
