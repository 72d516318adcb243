"""Logits to labels: logit grids, class boundaries, landmarks, the composite, the results."""
