"""What the production server is made of; ``bisenet.server`` puts it together."""
