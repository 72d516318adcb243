"""Results to files: overlays, masks, tables."""
