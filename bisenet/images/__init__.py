"""Bytes to pixels: decoding, archives, folders, the sample."""
