"""The command line: ``main``, and one module a command with ``HELP``, ``add_arguments(parser)``
and ``run(args) -> exit code``.

Heavy imports stand inside ``run``, so that ``--help`` answers at once.
"""
