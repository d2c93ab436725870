"""The demo's report: one self-contained page that shows what the loop did, and what each decision rested on."""

from trimtab.local.demo.report.page import html

__all__ = ["html"]
