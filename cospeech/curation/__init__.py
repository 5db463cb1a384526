"""Score clips, decide which to keep, and split them into training and test clips."""
