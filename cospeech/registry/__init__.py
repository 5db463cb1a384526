"""Keep promoted models in a registry, and decide which models to promote."""
