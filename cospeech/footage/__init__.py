"""Make clips from a source manifest: read it, fetch videos, find the speaker, cut."""
