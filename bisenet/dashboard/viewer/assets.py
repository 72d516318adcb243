"""How the component's code and pictures reach the browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from streamlit import runtime

_FOLDER = Path(__file__).parent
# In the order in which they build on one another.
MODULES = (
    *("dom", "plane", "labels", "smooth", "raster", "paints", "view", "store", "assets"),
    *("badges", "pane", "interact", "mark", "toolbar", "controls", "viewer", "main"),
)
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?:/\*\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)


def javascript() -> str:
    """All modules as one.

    Streamlit takes a component's code as one string, and modules loaded from strings cannot import
    one another. Each file stays a true module, which Node tests import as it is; here each becomes
    a function that returns its exports, so that no two files share names. Comments are left out:
    a third of the bytes.
    """
    return "\n".join(_as_function(name) for name in MODULES)


def _as_function(name: str) -> str:
    text = (_FOLDER / "js" / f"{name}.js").read_text(encoding="utf-8")
    text = _IMPORT.sub(r"const \1 = _\2;", _COMMENT.sub("", text))
    names = _EXPORT.findall(text)
    if not names:  # the entry: its default export has to stay where Streamlit finds it
        return text
    exports = ", ".join(names)
    return f"const _{name} = (() => {{\n{_EXPORT.sub('', text)}return {{ {exports} }};\n}})();"


def stylesheet() -> str:
    """The component's CSS."""
    return (_FOLDER / "viewer.css").read_text(encoding="utf-8")


def media_url(data: bytes, mimetype: str, coordinates: str) -> str:
    """A URL under which this session's browser can fetch the bytes, named by their content's hash.

    Streamlit's media storage is in memory and drops the bytes with the session. Sending them in the
    component's data instead would put megabytes into one websocket message and send them again
    after every page change; a URL is a few bytes, and the browser keeps the decoded picture.
    """
    if runtime.exists():
        return runtime.get_instance().media_file_mgr.add(data, mimetype, coordinates)
    return f"data:{mimetype};base64,{base64.b64encode(data).decode('ascii')}"
