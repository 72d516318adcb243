from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Mapping

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from bisenet.batch.runner import Batch
from bisenet.dashboard.batch import page_state
from bisenet.dashboard.batch.page_state import PageState
from bisenet.images import samples
from tests.conftest import LABELLED, needs_labelled_faces
from tests.waiting import until

WAIT_S = 120


@pytest.fixture
def batch(app: AppTest) -> AppTest:
    at = app.switch_page("pages/batch.py").run()
    assert not at.exception
    return at


def zip_of(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def begin(at: AppTest, *files: tuple[str, bytes], framing: str = "whole") -> AppTest:
    at.file_uploader[0].set_value(
        [(name, data, "application/octet-stream") for name, data in files]
    )
    at.button_group(key="batch-framing").set_value(framing)
    at.run()
    at.button(key="batch-start").click().run()
    assert not at.exception
    return at


def page_of(at: AppTest) -> PageState:
    page: PageState = at.session_state["batch_page"]
    return page


def finished(at: AppTest) -> AppTest:
    page_of(at).job.join(WAIT_S)
    assert not page_of(at).job.running
    at.run()
    assert not at.exception
    return at


def faces_shown(at: AppTest) -> int:
    (table,) = (frame.value for frame in at.dataframe if "How unusual" in frame.value)
    return len(table)


def text(at: AppTest) -> str:
    parts = [*at.markdown, *at.caption, *at.error, *at.info, *at.warning]
    return " ".join(str(part.value) for part in parts)


@pytest.fixture
def photos(portrait: Image.Image) -> dict[str, bytes]:
    """Ten different photos of one face."""
    found = {}
    for number in range(10):
        out = io.BytesIO()
        portrait.resize((120 + 8 * number, 120)).save(out, format="JPEG")
        found[f"{number}.jpg"] = out.getvalue()
    return found


def test_an_empty_page_invites_and_names_its_limits(batch: AppTest) -> None:
    assert "Many photos at once" in [heading.value for heading in batch.subheader]
    label = batch.file_uploader[0].label
    assert "50 MB each" in label
    assert "2,000 photos and 1 GB" in label
    assert batch.button(key="batch-start").disabled


@needs_labelled_faces
def test_a_zip_of_faces_gives_a_table(batch: AppTest) -> None:
    faces = sorted((LABELLED / "val" / "images").glob("*.jpg"))[:9]
    files = {f"faces/{path.name}": path.read_bytes() for path in faces}
    at = finished(begin(batch, ("faces.zip", zip_of(files))))
    assert "**9 faces** in 9 photos" in text(at)
    assert faces_shown(at) == 9
    table = page_of(at).batch.table()
    assert set(table["photo"]) == set(files)
    assert {"skin", "nose"} <= set(table["name"])


def test_what_was_not_looked_at_is_said_in_table_and_masks(
    batch: AppTest, png_of: Callable[[Image.Image], bytes]
) -> None:
    scene = Image.new("RGB", (1000, 900), "grey")
    scene.paste(samples.astronaut(), (250, 388))
    at = finished(begin(batch, ("scene.png", png_of(scene)), framing="auto"))
    (table,) = (frame.value for frame in at.dataframe if "Outlying" in frame.value)
    assert table["Cut off"].tolist() == ["Clothes"]
    at.selectbox(key="batch-measure").set_value("parsed_share").run()
    assert not at.exception
    assert at.toggle(key="batch-unknown").value is False
    at.toggle(key="batch-unknown").set_value(True).run()
    assert not at.exception
    (item,) = page_of(at).batch.snapshot().items
    with Image.open(io.BytesIO(item.mask(255))) as mask:
        assert (mask.size, mask.getextrema()) == ((1000, 900), (0, 255))


def test_bad_files_are_listed_and_the_rest_goes_on(
    batch: AppTest, photos: dict[str, bytes]
) -> None:
    archive = zip_of(
        {
            "good.jpg": photos["0.jpg"],
            "../out.jpg": photos["1.jpg"],
            "inside.zip": b"PK",
            "notes.txt": b"text",
            "dense.bmp": bytes(5 << 20),
        }
    )
    at = finished(
        begin(
            batch,
            ("set.zip", archive),
            ("broken.png", b"no picture"),
            ("twice.jpg", photos["0.jpg"]),
            ("empty.zip", zip_of({})),
        )
    )
    assert "**1 face** in 1 photo" in text(at)
    (listed,) = (f.value for f in at.dataframe if "Reason" in f.value)
    reasons = dict(zip(listed["File"], listed["Reason"], strict=True))
    assert "not an image" in reasons["broken.png"]
    assert "same photo as good.jpg" in reasons["twice.jpg"]
    assert reasons["empty.zip"] == "The zip is empty."
    assert "leads out" in reasons["set.zip: ../out.jpg"]
    assert {"set.zip: inside.zip", "set.zip: notes.txt"} <= set(reasons)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("empty.zip", zip_of({}), "The zip is empty."),
        ("not.zip", b"not a zip at all", "not a zip"),
        ("useless.zip", zip_of({"a.txt": b"a"}), "Nothing in the zip can be used"),
    ],
)
def test_nothing_usable_is_a_sentence_and_nothing_starts(
    batch: AppTest, name: str, data: bytes, why: str
) -> None:
    at = begin(batch, (name, data))
    assert "batch_page" not in at.session_state
    assert "None of these files can be parsed" in text(at)
    (listed,) = (f.value for f in at.dataframe)
    assert why in listed["Reason"].iloc[0]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Each photo waits for a permit, so that a run can be looked at in its middle."""
    permits = threading.Semaphore(0)
    real = Batch._one

    def one(self: Batch, number: int, source: object) -> object:
        while not permits.acquire(timeout=0.02):
            if self.stopping:
                return None
        return real(self, number, source)  # type: ignore[arg-type]

    monkeypatch.setattr(Batch, "_one", one)
    return permits


def test_cancelled_in_mid_run_keeps_what_is_done(
    batch: AppTest, photos: dict[str, bytes], slow: threading.Semaphore
) -> None:
    at = begin(batch, *photos.items())
    slow.release(3)
    until(lambda: page_of(at).batch.snapshot().tried == 3)
    at.run()
    assert faces_shown(at) == 3
    at.button(key="batch-stop").click().run()
    at = finished(at)
    assert "Stopped after" in text(at)
    assert faces_shown(at) == 3


def test_it_goes_on_while_its_person_is_on_another_page(
    batch: AppTest, photos: dict[str, bytes], slow: threading.Semaphore
) -> None:
    at = begin(batch, *photos.items())
    at.switch_page("pages/timing.py").run()
    slow.release(20)
    until(lambda: not page_of(at).job.running)
    at.switch_page("pages/batch.py").run()
    assert "**10 faces** in 10 photos" in text(at)
    assert faces_shown(at) == 10


def test_filters_and_the_thumbnails_of_a_finished_batch(
    batch: AppTest, photos: dict[str, bytes]
) -> None:
    at = finished(begin(batch, *photos.items()))
    at.text_input(key="batch-name").set_value("3.jpg").run()
    assert faces_shown(at) == 1
    at.text_input(key="batch-name").set_value("no such name").run()
    assert "No face fits" in text(at)
    at.text_input(key="batch-name").set_value("").run()
    at.selectbox(key="batch-measure").set_value("area_px").run()
    (table,) = (frame.value for frame in at.dataframe if "How unusual" in frame.value)
    assert table["Skin"].min() > 100, "pixels, not percent"


def test_a_photo_opens_in_explore_and_a_new_batch_lets_go(
    batch: AppTest, photos: dict[str, bytes]
) -> None:
    at = finished(begin(batch, *photos.items()))
    old = page_of(at)
    at.session_state[page_state._WANTED] = ("4.jpg", 1)
    at.run()
    assert [photo.name for photo in at.session_state["gallery"].photos] == ["4.jpg"]
    assert at.session_state["gallery"].current.data == photos["4.jpg"]
    at.switch_page("pages/batch.py").run()
    at.button(key="batch-new").click().run()
    assert "batch_page" not in at.session_state
    assert old.batch.snapshot().items == ()
    assert old.batch.table().empty
    assert not at.file_uploader[0].value
