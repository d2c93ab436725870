"""docs/reference/exit-status.md: what the command's exit status says, from the code's own table."""

from trimtab.api.errors import ExitStatus

HEAD = """<!-- Generated from src/trimtab/api/errors.py by `make generate`. -->
# Exit statuses

| status | means | such as |
|---|---|---|
"""
TAIL = """
A message on standard error says what is wrong, where, and what to do about it. `trimtab drift --fail-on` chooses what
makes its status 1.
"""


def exit_status_page() -> str:
    """The page."""
    rows = [f"| {int(one)} | {one.means} | {one.such_as} |\n" for one in ExitStatus]
    return HEAD + "".join(rows) + TAIL
