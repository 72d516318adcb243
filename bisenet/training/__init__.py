"""Training: data sets, augmentation, losses, the training loop; scoring from the shell."""
