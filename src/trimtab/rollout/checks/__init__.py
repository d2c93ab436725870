"""From evidence to verdicts, one kind of check a file.

A check holds one body of evidence for the whole rollout, in sums that add up over steps and outlive the process;
its bounds only ever tighten, so that what was claimed once stays claimed. Where the stored sums and the collector
disagree, the check ends Inconclusive (EvidenceLost): it never starts over with alpha that is spent.
"""

from trimtab.rollout.checks.base import Alphas, margin_of
from trimtab.rollout.checks.disagreement import AgreementLike, judge_disagreement
from trimtab.rollout.checks.error_rate import Bucket, judge_error_rate
from trimtab.rollout.checks.latency import HistogramLike, judge_latency
from trimtab.rollout.checks.paired_loss import PairedLike, judge_paired_loss
from trimtab.rollout.checks.threshold import judge_threshold

__all__ = [
    "AgreementLike",
    "Alphas",
    "Bucket",
    "HistogramLike",
    "PairedLike",
    "judge_disagreement",
    "judge_error_rate",
    "judge_latency",
    "judge_paired_loss",
    "judge_threshold",
    "margin_of",
]
