"""Results to numbers: regions, proportions, differences."""
