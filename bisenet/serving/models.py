"""The parsers that the server has open. The first is the one that the dashboard uses too."""

from __future__ import annotations

import threading

from bisenet import samples
from bisenet.parser import FaceParser
from bisenet.weights import WeightsError, file_hash, resolve


class Models:
    """Opens each engine once, for one set of weights. Safe between threads."""

    def __init__(self, weights: str):
        self._weights = weights
        self._lock = threading.Lock()
        self._open: dict[str, FaceParser] = {}

    def warm(self) -> FaceParser:
        """Verify the weights, open the default engine and run it, and make the page's sample.

        Raises:
            WeightsError: the weights are missing, altered or damaged.
        """
        from bisenet.dashboard import resources

        entry = resolve(self._weights)
        if entry.sha256 and file_hash(entry.path) != entry.sha256:
            raise WeightsError(f"{entry.path.name} is not the file that the manifest describes.")
        parser = resources.get_parser(entry.name)
        with self._lock:
            self._open["auto"] = parser
            # What auto chose answers to its own name too, instead of being opened twice.
            own = parser.engine
            suffix = "" if own.precision == "f32" else f"-{own.precision}"
            self._open[own.name + suffix] = parser
        parser.parse(samples.astronaut(), framing="whole")
        resources.sample_view(entry.name)
        return parser

    def get(self, engine: str) -> FaceParser:
        """The parser on an engine; opening one takes a second or two, once.

        Raises:
            ValueError: the engine does not exist or cannot be opened here.
            WeightsError: the weights cannot be loaded.
        """
        with self._lock:
            if engine not in self._open:
                self._open[engine] = FaceParser(self._weights, engine)
            return self._open[engine]
