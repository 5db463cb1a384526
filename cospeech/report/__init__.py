"""reports/report.html: one page that works from disk, with everything in it."""

from cospeech.report.content import ReportData, gather
from cospeech.report.page import write_report

__all__ = ["ReportData", "gather", "write_report"]
