"""Old addresses of a photo's pictures answer 404 after "Forget everything now"."""

from __future__ import annotations

from tests.deploy.parse_once import photo
from tests.deploy.replicas import Replica, ask
from tests.drills.page_client import PageClient


def statuses(server: Replica, addresses: set[str]) -> set[int]:
    return {ask(server.url, address).status for address in addresses}


def test_the_old_addresses_are_404_and_other_peoples_are_not(server: Replica) -> None:
    one, other = PageClient(server.url), PageClient(server.url)
    try:
        sample = set(one.media)
        one.upload("face.jpg", photo(300))
        other.upload("other.jpg", photo(301))
        mine, theirs = one.media - sample, other.media - sample
        assert len(mine) == len(theirs) == 3
        assert mine.isdisjoint(theirs)
        assert statuses(server, mine | theirs) == {200}
        one.click("Forget everything now")
        assert one.media == sample, "the page shows the sample again"
        assert "Remove this photo" not in one.widgets
        assert statuses(server, mine) == {404}
        assert statuses(server, theirs) == {200}
    finally:
        one.close()
        other.close()


def test_a_removed_photo_is_not_kept_by_the_upload_box(server: Replica) -> None:
    person = PageClient(server.url)
    try:
        person.upload("face.jpg", photo(302))
        mine = set(person.media)
        person.click("Remove this photo")
        assert mine.isdisjoint(person.media)
        assert statuses(server, mine) == {404}
        assert ask(server.url, "/metrics").status == 200
    finally:
        person.close()


def test_a_photo_added_while_the_last_one_is_parsed_is_taken(server: Replica) -> None:
    person = PageClient(server.url)
    try:
        person.upload("first.jpg", photo(303))
        first = set(person.media)
        person.upload("second.jpg", photo(304), again=True)
        assert "Remove this photo" in person.widgets, "the page is there"
        assert not person.media & first, "and shows the second"
    finally:
        person.close()
