"""Run stages: files, workspace, caches, processes, progress and reports. Nothing here affects results."""
