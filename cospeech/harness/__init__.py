"""What surrounds a stage run and carries its results: files, workspace, caches, processes, progress, reports."""
