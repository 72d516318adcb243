"""Training data: labelled faces, augmentation, composed scenes."""
