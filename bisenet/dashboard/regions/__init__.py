"""The parts of the Regions page."""
