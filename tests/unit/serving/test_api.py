from __future__ import annotations

import pytest

from bisenet.serving import api


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", api.JSON),
        ("application/json", api.JSON),
        ("image/png", api.PNG),
        ("image/*", api.PNG),
        ("image/png, */*;q=0.1", api.PNG),
        ("image/png;q=0.5, application/json", api.JSON),
        ("application/json, image/png", api.JSON),
        ("text/html, image/png", api.PNG),
        ("", api.JSON),
        (" , ", api.JSON),
        ("image/png;q=0, */*", api.JSON),
        ("application/json;q=0, */*", api.PNG),
        ("image/png;q=0.5, */*;q=0.8", api.JSON),
        ("image/*, image/png;q=0.3, application/json;q=0.4", api.JSON),
        ("application/json;q=0.4, IMAGE/PNG ; Q=0.5", api.PNG),
        ("application/json;version=1;q=0.1, image/*;q=0.2", api.PNG),
        ("*/*;q=0.001", api.JSON),
        ("image/png, */*", api.PNG),
        ("image/png;q=nan, application/json;q=0.1", api.JSON),
        ("image/png;q=9, application/json", api.JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", api.JSON),
    ],
)
def test_accept_decides_between_json_and_png(accept: str, expected: str) -> None:
    assert api.preferred_media_type(accept) == expected


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "image/png;q=0", "*/*;q=0"])
def test_what_cannot_be_had_is_406(accept: str) -> None:
    with pytest.raises(api.ApiError) as error:
        api.preferred_media_type(accept)
    assert error.value.status == 406
