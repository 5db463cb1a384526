"""Write reports/report.html: one self-contained page that works from disk."""

from cospeech.report.content import ReportData, gather
from cospeech.report.page import write_report

__all__ = ["ReportData", "gather", "write_report"]
