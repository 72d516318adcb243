"""Labelled photos: paired with masks, label orders; training data: augmentation, scenes."""
