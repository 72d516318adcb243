"""Work that a person may stop."""


class Cancelled(Exception):
    """The person who started the work stopped it."""
