"""Training and scoring: data sets, augmentation, losses, metrics, the training loop."""
