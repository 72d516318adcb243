"""The description of the HTTP API, built from the constants that the routes use."""

from __future__ import annotations

from typing import Any

from bisenet.classes import CLASSES, NUM_CLASSES, UNKNOWN_VALUES
from bisenet.engines import ENGINES
from bisenet.images.decode import MAX_BYTES
from bisenet.measure.regions import COLUMNS
from bisenet.parser import FRAMINGS

# Status to what it means, and the codes that an answer of it may have.
ERRORS: dict[int, tuple[str, tuple[str, ...]]] = {
    400: (
        "The form is malformed, holds no photo, or an option is unknown.",
        ("bad_form", "no_photo", "bad_option", "cut_off"),
    ),
    403: ("A browser called from a page of another site.", ("cross_site",)),
    406: ("Neither JSON nor PNG is acceptable to the client.", ("not_acceptable",)),
    408: ("The photo took too long to arrive.", ("too_slow",)),
    413: (f"The photo is larger than {MAX_BYTES // 2**20} MB.", ("too_large",)),
    415: (
        "The body is no form, or the photo's format is not one that can be read.",
        ("not_a_form", "not_an_image"),
    ),
    422: ("The photo is damaged, empty, or has too many pixels.", ("bad_image",)),
    429: ("As many photos wait as may wait.", ("queue_full",)),
    500: ("A fault of the server's; the log has the request's id.", ("error",)),
    503: (
        "The server is loading, going away or full; another replica, or a moment, will do.",
        ("loading", "draining", "not_ready", "memory_full"),
    ),
}
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_INTEGER = {"type": "integer"}
_TYPES: dict[str, dict[str, Any]] = {
    "class_id": {"type": "integer", "minimum": 0, "maximum": NUM_CLASSES - 1},
    "name": _TEXT,
    "region": _TEXT,
    "area_px": _INTEGER,
    "left_px": _INTEGER,
    "top_px": _INTEGER,
    "right_px": _INTEGER,
    "bottom_px": _INTEGER,
    "parts": _INTEGER,
    "head_share": {"type": ["number", "null"]},
    "cut_off": {"type": "boolean"},
    "mean_color": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
}


def document() -> dict[str, Any]:
    """OpenAPI 3.1, as a JSON-ready dictionary."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BiSeNet Face Parsing",
            "version": "1",
            "description": "A photo in; nineteen regions of its faces, measured, out.",
        },
        "paths": {
            "/api/parse": {"post": _parse_operation()},
            "/api/openapi.json": {"get": _plain("This document.", "application/json")},
            "/healthz": {"get": _plain("The process is alive.", "text/plain")},
            "/readyz": {
                "get": _plain("New work is welcome.", "text/plain", {503: "Loading or going away."})
            },
            "/metrics": {
                "get": _plain(
                    "Prometheus metrics, for private networks.",
                    "text/plain",
                    {404: "The client is not on a private network."},
                )
            },
        },
        "components": {"schemas": {"Parsing": _parsing_schema(), "Error": _error_schema()}},
    }


def _parse_operation() -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["photo"],
        "additionalProperties": False,
        "properties": {
            "photo": {"type": "string", "format": "binary"},
            "framing": {"type": "string", "enum": list(FRAMINGS), "default": "auto"},
            "engine": {"type": "string", "enum": list(ENGINES), "default": "auto"},
            "unknown": {
                "type": "string",
                "enum": [str(value) for value in UNKNOWN_VALUES],
                "default": "0",
                "description": "What the mask's pixels have where no view looked, too far from "
                "the faces: 0, as the background, or 255, which evaluations leave out.",
            },
        },
    }
    id_header = {"description": "The request's id, as in the log.", "schema": _TEXT}
    responses: dict[str, Any] = {
        "200": {
            "description": "What was found; with Accept: image/png, the mask alone.",
            "headers": {"X-Request-ID": id_header},
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Parsing"}},
                "image/png": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    }
    for status, (text, codes) in ERRORS.items():
        headers = {"X-Request-ID": id_header}
        if status in (429, 503):
            headers["Retry-After"] = {"description": "Seconds.", "schema": _INTEGER}
        responses[str(status)] = {
            "description": f"{text} Codes: {', '.join(codes)}.",
            "headers": headers,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    return {
        "operationId": "parse",
        "summary": "Parse a photo.",
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": responses,
    }


def _plain(description: str, media_type: str, others: dict[int, str] | None = None) -> Any:
    responses: dict[str, Any] = {
        "200": {"description": description, "content": {media_type: {}}},
    }
    for status, text in (others or {}).items():
        responses[str(status)] = {"description": text}
    return {"summary": description, "responses": responses}


def _parsing_schema() -> dict[str, Any]:
    region = _object({name: {**_TYPES.get(name, _NUMBER)} for name in COLUMNS})
    for name, text in COLUMNS.items():
        region["properties"][name]["description"] = text
    return _object(
        {
            "id": _TEXT,
            "width": _INTEGER,
            "height": _INTEGER,
            "parsed_px": {
                **_INTEGER,
                "minimum": 0,
                "description": "How many of the photo's pixels the network looked at; parsed_share "
                "is of these, image_share of width times height.",
            },
            "framing": {"type": "string", "enum": list(FRAMINGS)},
            "weights": _TEXT,
            "engine": _object(
                {"name": _TEXT, "precision": _TEXT, "device": _TEXT, "threads": _INTEGER}
            ),
            "faces": _list(
                _object(
                    {
                        "box": {**_list(_NUMBER), "minItems": 4, "maxItems": 4},
                        "score": {"type": "number", "minimum": 0, "maximum": 1},
                        "cut_off": {
                            **_list({"type": "string", "enum": [c.name for c in CLASSES]}),
                            "description": "Regions that go on beyond what was looked at.",
                        },
                    }
                )
            ),
            "regions": _list(region),
            "timings_ms": {"type": "object", "additionalProperties": _NUMBER},
            "notices": _list(_TEXT),
            "mask": _object(
                {
                    "media_type": {"const": "image/png"},
                    "encoding": {"const": "base64"},
                    "unknown": {
                        "enum": list(UNKNOWN_VALUES),
                        "description": "What stands where no view looked.",
                    },
                    "data": {
                        "type": "string",
                        "contentEncoding": "base64",
                        "contentMediaType": "image/png",
                        "description": "A palette PNG of the photo's size: class ids, "
                        "and the value of unknown where no view looked.",
                    },
                }
            ),
        }
    )


def _error_schema() -> dict[str, Any]:
    codes = sorted({code for _, codes in ERRORS.values() for code in codes})
    schema = _object(
        {
            "id": _TEXT,
            "error": _object({"code": {"type": "string", "enum": codes}, "message": _TEXT}),
        }
    )
    # A request that is refused before it reaches the route has its id in the header only.
    schema["required"] = ["error"]
    return schema


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
