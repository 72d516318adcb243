"""The drills' short forms: the process lives, and others are served meanwhile.

``make drills`` runs the long ones and prints what they measure.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deploy.replicas import HaProxy, Replica, ask, browse, post_photo
from tests.drills import clients, hostile, sockets, waves
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PHOTO_MB = 40  # what a photo's parse may leave behind


@pytest.mark.parametrize("attack", [sockets.compressed, sockets.unfinished, sockets.crumbs])
def test_sockets_of_one_client_hold_no_memory(server: Replica, attack: sockets.Attack) -> None:
    post_photo(server.url)
    before = hostile.resident_mb(server)
    held = attack(server, 6)
    try:
        assert all(hostile.is_closed(client, PATIENCE_SECONDS) for client in held)
        assert post_photo(server.url).status == 200
        assert hostile.resident_mb(server) < before + PHOTO_MB
    finally:
        for client in held:
            client.close()


def test_bodies_that_trickle_leave_places_for_others(server: Replica) -> None:
    with clients.trickling(server, 34):
        ask(server.url, "/healthz")  # the loop that answers has met the bodies, too
        assert post_photo(server.url).status == 200


def test_a_polite_client_is_served_beside_forty_greedy_connections(server: Replica) -> None:
    with clients.crowd(server.url, 40, [clients.GREEDY], 256, threads=True) as answers:
        outcome = clients.polite(server.url, 3, side=256)
    assert outcome.statuses == {200: 3}
    assert answers[429] > 0, "the greedy ones were refused, as they had more than their share"


def test_a_wave_of_pages_leaves_the_probes_their_turn(server: Replica) -> None:
    with hostile.Watch(server, 0.05) as watch, ThreadPoolExecutor(20) as people:
        pages = [people.submit(waves.session, server, f"127.0.4.{i}") for i in range(1, 21)]
        assert all(page.result() > 0 for page in pages)
    assert watch.failures == 0
    assert watch.seconds, "it asked meanwhile"


def test_a_page_behind_a_proxy_that_renames_the_host_says_so(
    replicas: list[Replica], tmp_path: Path
) -> None:
    def scenario(browser: Browser) -> str:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(balancer.url)
        return page.locator("#host-check").inner_text()

    rename = "http-request set-header Host inner:8080"
    with HaProxy(replicas[:1], "none", tmp_path, rename) as balancer:
        balancer.wait_for(1)
        said = browse(scenario)
    name = balancer.url.removeprefix("http://")
    assert f"came to {name}" in said
    assert f"BISENET_ALLOWED_HOSTS={name},inner:8080" in said


def test_no_line_of_the_log_has_an_address(server: Replica) -> None:
    client, head = hostile.shake_hands(server.port, "127.0.0.77")
    client.close()
    assert " 101 " in head
    refused, head = hostile.shake_hands(
        server.port, "127.0.0.77", headers="Origin: https://evil.example\r\n"
    )
    refused.close()
    assert " 403 " in head
    assert not re.findall(r".*127\.0\.\d+\.\d+.*", server.log.read_text())
