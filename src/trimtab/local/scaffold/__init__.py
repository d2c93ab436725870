"""`trimtab init`: a project that runs, from a table that someone has or from a small made-up one."""

from trimtab.local.scaffold.guess import Guesses, guess
from trimtab.local.scaffold.write import from_table, made_up

__all__ = ["Guesses", "from_table", "guess", "made_up"]
