"""What the pages share: cached resources, the session's photos, charts, the viewer."""
