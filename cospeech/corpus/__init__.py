"""Generate the embedded corpus (data/demo): synthetic people who speak. Needs the optional extra `corpus`."""
