"""The JSON of an error, as ``/api/openapi.json`` describes it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import Scope

# The body may still be on its way: without closing, the connection would wait for it.
_CLOSING = (408, 411, 413, 429, 503)


def refusal(
    scope: Scope, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error's answer, with the request's id: a code for programs, a sentence for people."""
    body = {"id": scope["state"]["id"], "error": {"code": code, "message": message}}
    closing = {"connection": "close"} if status in _CLOSING else {}
    return JSONResponse(body, status, {"cache-control": "no-store", **closing, **(headers or {})})
