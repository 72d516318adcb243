"""This machine: settings, limits, threads, paths, timing, cancellation, admission to the queue."""
