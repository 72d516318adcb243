from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from PIL import Image
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from bisenet.classes import BY_NAME
from bisenet.dashboard.session import gallery as gallery_module
from bisenet.images import samples
from bisenet.network import weights
from bisenet.parser import FaceParser
from bisenet.runtime.admission import process_queue

SHARES = "Shares of the whole photo"


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.error, app.warning, app.info, app.subheader)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_a_sample_is_parsed_on_arrival(app: AppTest) -> None:
    assert not app.error
    assert "This is a sample" in texts(app)
    table = app.dataframe[0].value
    assert {"Hair", "Skin", "Nose", "Left eye"} <= set(table["Region"])
    assert table["Image"].sum() == pytest.approx(100, abs=0.01)


def test_shares_leave_out_what_was_not_looked_at_unless_told(
    app: AppTest, png_of: Callable[[Image.Image], bytes]
) -> None:
    assert not [t for t in app.toggle if t.label == SHARES]  # of the sample, all was looked at
    scene = Image.new("RGB", (1000, 900), "grey")
    scene.paste(samples.astronaut(), (250, 388))
    app.file_uploader[0].set_value(("scene.png", png_of(scene), "image/png")).run()
    assert not app.exception
    assert "Hatched: not looked at" in texts(app)
    assert "Clothes are cut off at the edge of the view" in texts(app)
    table = app.dataframe[0].value
    assert table["Looked at"].sum() == pytest.approx(100, abs=0.01)
    assert table["Region"][table["Cut off"]].tolist() == ["Clothes"]
    (switch,) = (t for t in app.toggle if t.label == SHARES)
    switch.set_value(True).run()
    table = app.dataframe[0].value
    assert table["Image"].sum() < 95
    # The choice is one for all pages.
    app.switch_page("pages/regions.py").run()
    assert not app.exception
    labels = [metric.label for metric in app.metric]
    assert "Of the photo" in labels
    app.selectbox(key="region_choice").set_value(BY_NAME["cloth"].id).run()
    assert "Clothes are cut off at the edge of the view" in texts(app)
    next(t for t in app.toggle if t.label == SHARES).set_value(False).run()
    assert "Of what was looked at" in [metric.label for metric in app.metric]


def test_left_and_right_are_explained(app: AppTest) -> None:
    assert "the left eye is on the right of the picture" in texts(app)


def test_an_upload_is_shown_and_parsed_once(
    app: AppTest, grey_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    parse = FaceParser.parse

    def counted(self: FaceParser, *args: object, **options: object) -> object:
        calls.append(1)
        return parse(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(FaceParser, "parse", counted)
    app.file_uploader[0].set_value(("grey.png", grey_png, "image/png")).run()
    assert not app.error
    assert len(app.session_state["gallery"].photos) == 1
    assert "1 of at most 20 photos" in texts(app)
    app.run()
    assert sum(calls) == 1


def test_whoever_waits_sees_the_place_until_the_turn_comes(
    app: AppTest, grey_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, others, said = process_queue(), ExitStack(), list[str]()
    others.enter_context(queue.admit(places=queue.max_running))
    info = DeltaGenerator.info

    def heard(self: DeltaGenerator, body: str, **options: object) -> DeltaGenerator:
        said.append(body)
        others.close()
        return info(self, body, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(DeltaGenerator, "info", heard)
    app.file_uploader[0].set_value(("grey.png", grey_png, "image/png")).run()
    assert said[0] == "Other photos are being parsed: you are next."
    assert "Other photos" not in texts(app)
    assert not app.error
    assert not app.dataframe[0].value.empty


def test_a_full_queue_is_a_sentence_and_another_try(
    app: AppTest, grey_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = process_queue()
    monkeypatch.setattr(queue, "max_waiting", 0)
    with queue.admit(places=queue.max_running):
        app.file_uploader[0].set_value(("grey.png", grey_png, "image/png")).run()
    assert "Try again in a moment" in app.warning[0].value
    (again,) = [button for button in app.button if button.label == "Try again"]
    again.click().run()
    assert not app.warning
    assert not app.dataframe[0].value.empty


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("notes.png", b"these are notes", "not an image"),
        ("empty.png", b"", "empty"),
        ("../../a[b](c).png", b"\x89PNG\r\n\x1a\n broken", "was not added"),
    ],
)
def test_a_bad_file_is_a_sentence_and_what_was_there_stays(
    app: AppTest, grey_png: bytes, name: str, data: bytes, says: str
) -> None:
    app.file_uploader[0].set_value(("good.png", grey_png, "image/png")).run()
    app.file_uploader[0].set_value((name, data, "image/png")).run()
    assert says in app.error[0].value
    assert [p.name for p in app.session_state["gallery"].photos] == ["good.png"]
    assert len(app.dataframe) >= 1


def test_several_files_at_once_and_the_bad_one_is_named(app: AppTest, grey_png: bytes) -> None:
    files = [("a.png", grey_png, "image/png"), ("b.png", b"no", "image/png")]
    app.file_uploader[0].set_value(files).run()
    assert [p.name for p in app.session_state["gallery"].photos] == ["a.png"]
    assert len(app.error) == 1
    assert r"b\.png" in app.error[0].value


def test_photos_can_be_removed(app: AppTest, grey_png: bytes) -> None:
    app.file_uploader[0].set_value(("a.png", grey_png, "image/png")).run()
    app.button(key="remove-one").click().run()
    assert app.session_state["gallery"].photos == ()
    assert "This is a sample" in texts(app)


def test_comparing_shows_differences_and_deltas(app: AppTest, grey_png: bytes) -> None:
    app.file_uploader[0].set_value(("a.png", grey_png, "image/png")).run()
    app.session_state["compare_with"] = f"sample/{weights.catalog()[0].name}"
    app.run()
    assert not app.error
    assert "Differences" in texts(app)
    assert app.metric[0].value.endswith("%")
    assert any("Delta, points" in table.value for table in app.dataframe)


def test_the_oldest_photo_goes_and_that_is_said(
    app: AppTest, grey_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.session_state["gallery"] = gallery_module.Gallery(max_photos=1)
    app.file_uploader[0].set_value(("a.png", grey_png, "image/png")).run()
    # PNG readers stop at the end chunk, so these are the same picture and another file.
    app.file_uploader[0].set_value(("b.png", grey_png + b"\0", "image/png")).run()
    assert [p.name for p in app.session_state["gallery"].photos] == ["b.png"]
    assert r"a\.png" in app.error[0].value
