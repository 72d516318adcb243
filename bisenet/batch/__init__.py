"""Many photos in one go: where they come from, the run, what is kept of each, tables and files.

The page and the command share it. No pixels are kept: of each photo stay its rows, small pictures
and its mask as a compressed file.
"""
