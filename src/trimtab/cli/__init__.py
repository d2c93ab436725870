"""The `trimtab` command: parse, call, print. Heavy imports stand inside the commands that need them."""

from trimtab.cli.app import main

__all__ = ["main"]
