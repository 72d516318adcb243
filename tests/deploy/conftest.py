"""Servers that the tests of this folder share; each is started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.replicas import Replica


@pytest.fixture(scope="session")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replica]]:
    """Two ready servers, as two pods of a deployment."""
    folder = tmp_path_factory.mktemp("replicas")
    pair = [Replica(folder / f"{name}.log").start() for name in ("r0", "r1")]
    for replica in pair:
        replica.wait_ready()
    yield pair
    for replica in pair:
        replica.kill()


@pytest.fixture(scope="session")
def server(replicas: list[Replica]) -> Replica:
    """One ready server, for tests that leave it as it was."""
    return replicas[0]
