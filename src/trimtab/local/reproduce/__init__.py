"""A run made again from what it recorded, in a scratch folder, and held beside what it had made.

`recorded` finds the provenance of a run or a version, `inputs` proves that bundle and table versions still are what
they were, `rebuild` runs the steps anew in a process of its own, and `comparison` names what differs, causes before
effects.
"""
