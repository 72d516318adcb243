"""The parts of the Timing page."""
