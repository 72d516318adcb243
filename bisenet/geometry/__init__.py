"""Boxes, crops and the affine ways between a photo and its crops."""
