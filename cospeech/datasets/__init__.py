"""Training data: windows of clips, pairs of poses, trajectories, clips for motion and for lip-sync."""
