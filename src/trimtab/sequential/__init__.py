"""Tests that may be looked at whenever one likes: e-processes and confidence sequences.

Each module is one test over sums that add across steps and processes; `verdict` turns bounds into Pass, Fail
or Inconclusive. Pure: no clock, no randomness, no I/O. What each promises, and what was measured, is in
docs/verdicts.md.
"""

from trimtab.sequential.verdict import Bounds, Verdict, judge

__all__ = ["Bounds", "Verdict", "judge"]
