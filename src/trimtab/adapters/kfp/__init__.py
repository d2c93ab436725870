"""Kubeflow Pipelines: compiling a project's IR, and running that same IR on one machine.

`kfp.local` orchestrates; each task runs in a child of a warm fork server (`warm`), inside one long-lived
host process (`host`), which `client` starts and talks to.
"""
