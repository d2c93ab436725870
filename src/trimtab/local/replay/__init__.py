"""The replay: a discrete-event driver that lives a recorded stretch of time through the real parts.

One step is one hour of the recording; hours in which nothing happens are skipped. Time stands still while a
pipeline runs or a server starts. Requests are real HTTP through the gateway, with a seeded draw for the
split, so that two replays on one machine decide alike.
"""
