"""The parsers that the server has open. The first is the one that the dashboard uses too."""

from __future__ import annotations

import threading

from bisenet.engines import EngineError
from bisenet.images import samples
from bisenet.network.weights import WeightsError, file_hash, resolve
from bisenet.parser import FaceParser
from bisenet.runtime.settings import Settings


class Models:
    """The server's own engine and, where that is allowed, one other. Safe between threads.

    Args:
        weights: the name of the weights.
        others: whether engines besides the server's own are opened when they are asked for.
    """

    def __init__(self, weights: str, others: bool = False):
        self._weights = weights
        self._others = others
        self._own: FaceParser | None = None
        self._other: tuple[str, FaceParser] | None = None
        self._opening = threading.Lock()

    def warm(self) -> FaceParser:
        """Verify the weights, open the default engine and run it, and make the page's sample.

        Raises:
            WeightsError: the weights are missing, altered or damaged.
        """
        from bisenet.dashboard.session import resources

        entry = resolve(self._weights)
        if entry.sha256 and file_hash(entry.path) != entry.sha256:
            raise WeightsError(f"{entry.path.name} is not the file that the manifest describes.")
        parser = resources.get_parser(entry.name)
        parser.parse(samples.astronaut(), framing="whole")
        resources.sample_view(entry.name)
        self._own = parser
        return parser

    def get(self, engine: str) -> FaceParser:
        """The parser on an engine. Another than the server's own takes seconds to open.

        Of the others the last one is kept, so that they do not fill the memory.

        Raises:
            EngineError: this server runs another engine, or it cannot be opened here.
            ValueError: the engine does not exist.
            WeightsError: the weights cannot be loaded.
        """
        own = self._own
        if own is None:
            raise EngineError("The network is still loading.")
        if engine in ("auto", _name_of(own)):
            return own
        if not self._others:
            raise EngineError(
                f"This server parses with {_name_of(own)} alone: leave the option engine out. "
                f"Whoever runs it can allow the others with {Settings.other_engines.name}=true."
            )
        # Those who ask for the server's own never wait here.
        with self._opening:
            if self._other is None or self._other[0] != engine:
                self._other = None  # let go before the next one takes its memory
                self._other = (engine, FaceParser(self._weights, engine))
            return self._other[1]


def _name_of(parser: FaceParser) -> str:
    """The engine's name among ``bisenet.engines.ENGINES``."""
    info = parser.engine
    return info.name if info.precision == "f32" else f"{info.name}-{info.precision}"
