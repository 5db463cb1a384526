"""Generated video against real video: drawing it, finding its keypoints, measuring it, showing it."""
