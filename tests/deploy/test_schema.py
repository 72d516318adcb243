"""Our own description of the API, held against a real server by schemathesis: the short form."""

from __future__ import annotations

from tests.deploy.replicas import Replica
from tests.drills import fuzz_api


def test_the_server_answers_as_it_describes(server: Replica) -> None:
    before = server.requests("/api/parse")
    done = fuzz_api.run(server.url, examples=12, seconds=120)
    assert done.returncode == 0, done.stdout[-4000:]
    asked = server.requests("/api/parse")[len(before) :]
    assert len(asked) >= 12
    # They got as far as the decoder; how many are photos is for chance to say.
    assert {line["status"] for line in asked} & {200, 415, 422}
    assert server.is_ready()
