"""Input-aware sparse attention: the plan from the poses, its backends, their dispatch."""
