"""What a page adds to the viewer's toolbar; no Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tools:
    """Tools beside the viewer's own.

    Attributes:
        choices: what the picture can be compared with: titles by key; empty offers nothing.
        chosen: the key of what it is compared with, or "".
        on_compare: called with a key of ``choices``, or "" to compare with nothing any more.
        on_download: called when the download button is pressed; without it there is none.
    """

    choices: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""
    on_compare: Callable[[str], None] | None = None
    on_download: Callable[[], None] | None = None

    def read_choice(self, message: object) -> str | None:
        """The key in a message from the browser; None where it is not one of the choices."""
        key = message.get("with") if isinstance(message, Mapping) else None
        return key if isinstance(key, str) and (key == "" or key in self.choices) else None
