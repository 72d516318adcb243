"""Campaigns that take too long for the suite: each is a command of its own."""
