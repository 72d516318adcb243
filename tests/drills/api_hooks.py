"""What schemathesis sends as a photo: odd pictures besides its own bytes."""

from __future__ import annotations

import random
from typing import Any

import schemathesis

from tests.drills.mutate import mutated


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Put a picture in place of the random bytes, four times in five."""
    if isinstance(body, dict) and isinstance(body.get("photo"), bytes):
        rng = random.Random(body["photo"])
        if rng.random() < 0.8:
            return {**body, "photo": mutated(rng)[1]}
    return body
