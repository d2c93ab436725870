"""Where a model or a prediction comes from: one tree, from it down to the source versions and the rows.

`model` walks what a version's provenance says, `logged` finds a prediction in the collector's log, and `rows` finds
its key's rows in the table versions that its model read.
"""
