"""reports/report.html: one page that works from disk, with everything in it."""

from stages.lib.report_html.content import ReportData, gather
from stages.lib.report_html.page import write_report

__all__ = ["ReportData", "gather", "write_report"]
