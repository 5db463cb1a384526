"""From a source manifest to clips: read, fetch, find the speaker, cut."""
