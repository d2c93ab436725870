"""The collector: takes what model servers report and answers what the loop asks of it.

Events and labels are checked (`event`, `labels`), written to a log before they are acknowledged (`log`,
`commit`), and summed up in a `ledger`, whose every answer (`questions`) is a function of the set of records,
not of their order. One process, one event loop, one writer.
"""
