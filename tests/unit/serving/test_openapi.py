from __future__ import annotations

from typing import Any

from openapi_spec_validator import validate

from bisenet.engines import ENGINES
from bisenet.parser import FRAMINGS
from bisenet.serving import openapi


def test_the_description_is_valid_openapi() -> None:
    validate(openapi.document())


def test_the_description_names_the_options_and_errors_that_exist() -> None:
    operation: Any = openapi.document()["paths"]["/api/parse"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert form["framing"]["enum"] == list(FRAMINGS)
    assert form["engine"]["enum"] == list(ENGINES)
    assert set(operation["responses"]) == {"200", *(str(status) for status in openapi.ERRORS)}
