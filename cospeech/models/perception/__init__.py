"""Networks that judge: face features, LPIPS, gestures, lip-sync."""
