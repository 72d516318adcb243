"""Two replicas behind a real load balancer: what affinity is for, a lost replica, a roll-out."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deploy.parse_once import photo
from tests.deploy.replicas import HaProxy, Replica, ask, browse, post_photo
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

PAGE_MS = 90_000
UPLOAD = "/_stcore/upload_file/"


class Neighbours:
    """Other people, each from an address of their own, who parse all the while."""

    def __init__(self, url: str, people: int = 2, pause: float = 1.0):
        self.statuses: Counter[int] = Counter()
        self.replicas: Counter[str] = Counter()
        self.lost: list[str] = []
        self.retried = 0
        self._url, self._pause = url, pause
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(f"127.0.0.{10 + i}",)) for i in range(people)
        ]

    def _live(self, source: str) -> None:
        while not self._stop.is_set():
            self._parse(source)
            self._stop.wait(self._pause)

    def _parse(self, source: str) -> None:
        for attempt in itertools.count():
            try:
                answer = post_photo(self._url, source)
            except OSError as error:
                self.lost.append(repr(error))
                return
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.replicas[answer.headers.get("x-replica", "?")] += 1
                return
            if answer.status != 503 or attempt > 100:
                self.lost.append(f"{answer.status} {answer.body[:200]!r}")
                return
            # What a polite client does with a 503: it waits as told and asks again.
            self.retried += 1
            time.sleep(0.3)

    def __enter__(self) -> Neighbours:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Person:
    """Someone with a browser: opens the page, uploads, looks."""

    def __init__(self, browser: Browser, url: str):
        self.page: Page = browser.new_page(viewport={"width": 1440, "height": 1000})
        self.page.set_default_timeout(PAGE_MS)
        self.answers: list[tuple[int, str]] = []
        self.page.on("response", self._note)
        self.url = url
        self._photos = 0

    def _note(self, response: Response) -> None:
        self.answers.append((response.status, response.url))

    def open(self) -> str:
        """Go to the page; the replica that served it."""
        response = self.page.goto(self.url)
        assert response is not None
        return response.headers.get("x-replica", "")

    def sees_the_page(self) -> None:
        self.page.locator("input[type=file]").first.wait_for(state="attached")

    def uploads(self, name: str) -> int:
        """Choose a photo that was not there before; the upload's status."""
        self._photos += 1
        file = {"name": name, "mimeType": "image/jpeg", "buffer": photo(300 + self._photos)}
        with self.page.expect_response(lambda response: UPLOAD in response.url) as upload:
            self.page.locator("input[type=file]").first.set_input_files(file)  # type: ignore[arg-type]
        return int(upload.value.status)

    def sees_photos(self, count: int) -> None:
        """They are in the gallery and the page rests: each brings a new upload box."""
        self.page.get_by_text(f"{count} of at most").first.wait_for()
        self.page.locator('[data-test-script-state="notRunning"]').first.wait_for()

    def failures(self) -> list[tuple[int, str]]:
        """Answers that say no; a page below a path first asks for files that are at the root."""
        return [(status, url) for status, url in self.answers if status >= 400]


@pytest.mark.parametrize("affinity", ["client-ip", "cookie"])
def test_with_affinity_a_person_works_while_others_use_the_other_replica(
    replicas: list[Replica], affinity: str, tmp_path: Path
) -> None:
    kind = "cookie" if affinity == "cookie" else "client-ip"
    with HaProxy(replicas, kind, tmp_path) as balancer:  # type: ignore[arg-type]
        balancer.wait_for(2)

        def scenario(browser: Browser) -> None:
            person = Person(browser, balancer.url)
            person.open()
            person.sees_the_page()
            for count in (1, 2, 3):
                assert person.uploads(f"photo-{count}.jpg") == 204
                person.sees_photos(count)
            assert not person.failures()

        with Neighbours(balancer.url) as others:
            browse(scenario)
            until(lambda: len(others.replicas) == 2)
        assert set(others.replicas) == {"r0", "r1"}
        assert not others.lost


def test_without_affinity_uploads_fail_as_streamlit_says(
    replicas: list[Replica], tmp_path: Path
) -> None:
    with HaProxy(replicas, "none", tmp_path) as balancer:
        balancer.wait_for(2)

        def scenario(browser: Browser) -> list[int]:
            person = Person(browser, balancer.url)
            # Which replica gets the socket and which the upload is a matter of turns, so a few
            # uploads are needed, every second one after a request more, to be sure of meeting the
            # wrong one.
            statuses: list[int] = []
            while len(statuses) < 4 and 400 not in statuses:
                person.open()
                person.sees_the_page()
                if len(statuses) % 2:
                    ask(balancer.url, "/healthz")
                statuses.append(person.uploads(f"photo-{len(statuses)}.jpg"))
            return statuses

        statuses = browse(scenario)
    assert 400 in statuses, statuses


class TestLosses:
    """These take replicas away, so they have a pair of their own."""

    @pytest.fixture
    def pair(self, tmp_path: Path) -> Iterator[list[Replica]]:
        both = [Replica(tmp_path / f"{name}.log").start() for name in ("r0", "r1")]
        for replica in both:
            replica.wait_ready()
        yield both
        for replica in both:
            replica.kill()

    def test_a_lost_replica_then_a_roll_out_under_load(
        self, pair: list[Replica], tmp_path: Path
    ) -> None:
        with HaProxy(pair, "client-ip", tmp_path) as balancer:
            balancer.wait_for(2)

            def scenario(browser: Browser) -> None:
                person = Person(browser, balancer.url)
                mine = int(person.open().removeprefix("r"))
                person.sees_the_page()
                assert person.uploads("before.jpg") == 204
                person.sees_photos(1)
                pair[mine].kill()
                # The balancer has noticed: this address, the browser's too, goes to the other.
                until(lambda: ask(balancer.url, "/healthz").status == 200)
                person.page.reload()
                person.sees_the_page()
                assert person.uploads("after.jpg") == 204
                person.sees_photos(1)
                pair[mine].start().wait_ready()

            browse(scenario)
            balancer.wait_for(2, "/readyz")
            with Neighbours(balancer.url, people=3) as others:
                for replica in pair:
                    assert replica.terminate() == 0
                    replica.start().wait_ready()
                    balancer.wait_for(2, "/readyz")
            assert not others.lost
            assert others.statuses[200] > 5
            assert set(others.statuses) <= {200, 503}
            print(f"roll-out: {dict(others.statuses)}, {others.retried} asked again, none lost")


def test_a_cookie_signed_by_one_replica_is_good_for_the_other(replicas: list[Replica]) -> None:
    """The XSRF token comes from whichever replica answers first, and both must take it."""
    first = ask(replicas[0].url, "/_stcore/health").headers["set-cookie"]
    token = re.search(r"_streamlit_xsrf=([^;]+)", first)
    assert token
    # No such session, hence 400; a token that is not taken is 403.
    for replica in replicas:
        headers = {"Cookie": f"_streamlit_xsrf={token[1]}", "X-Xsrftoken": token[1]}
        assert ask(replica.url, f"{UPLOAD}none/1", "PUT", b"", headers).status == 400
        assert ask(replica.url, f"{UPLOAD}none/1", "PUT", b"").status == 403
