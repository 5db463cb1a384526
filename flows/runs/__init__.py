"""Flow runs as the dashboard shows them: observed, cancelled, orphaned."""
