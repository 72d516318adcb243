"""Forget everything: nothing of a person stays in the process."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable

from PIL import Image
from streamlit.testing.v1 import AppTest

from bisenet.batch.items import BatchItem
from bisenet.batch.runner import Batch
from bisenet.dashboard.session import resources
from bisenet.dashboard.session.gallery import StoredPhoto, View
from bisenet.evaluation.runner import Outcome
from bisenet.evaluation.sources import Files
from bisenet.images.sources import Source
from tests.app.test_batch import begin, finished
from tests.app.test_evaluate import bring, score, zipped

HELD = (StoredPhoto, View, BatchItem, Source, Files, Outcome)


def held() -> dict[str, int]:
    gc.collect()
    kinds = [type(thing) for thing in gc.get_objects()]
    return {kind.__name__: kinds.count(kind) for kind in HELD}


def test_photos_batch_and_evaluation_are_gone_at_once(
    app: AppTest, portrait: Image.Image, png_of: Callable[[Image.Image], bytes]
) -> None:
    before, views = held(), len(resources.view_store())
    small = portrait.resize((96, 96))
    out = io.BytesIO()
    small.save(out, "JPEG")
    app.file_uploader[0].set_value(("face.jpg", out.getvalue(), "image/jpeg")).run()
    assert len(resources.view_store()) == views + 1
    batch = begin(app.switch_page("pages/batch.py").run(), ("face.png", png_of(small)))
    assert isinstance(finished(batch).session_state["batch_page"].batch, Batch)
    page = app.switch_page("pages/evaluate.py").run()
    mask = png_of(Image.new("L", small.size, 1))
    bring(page, zipped({"images/a.png": png_of(small), "masks/a.png": mask}))
    score(page)
    assert all(count > before[kind] for kind, count in held().items())
    page.switch_page("streamlit_app.py").run()
    page.button(key="forget-everything").click().run()
    assert not page.exception
    assert [toast.value for toast in page.toast] == ["Your photos and all their results are gone."]
    assert held() == before
    assert len(resources.view_store()) == views
    assert "This is a sample" in " ".join(caption.value for caption in page.caption)
