"""Plot loss curves and contact sheets."""
