from __future__ import annotations

from streamlit.testing.v1 import AppTest

from bisenet.dashboard.session.gallery import FaceRequest


def script() -> None:
    """Two faces in a photo that is shown at half its size; more were found than parsed."""
    from types import SimpleNamespace

    import streamlit as st

    from bisenet.dashboard.explore import face_marks

    faces = [
        SimpleNamespace(id=1, box=(100.0, 100.0, 300.0, 300.0)),
        SimpleNamespace(id=2, box=(400.0, 100.0, 500.0, 200.0)),
    ]
    view = SimpleNamespace(parsing=SimpleNamespace(faces=faces, left_out=7), scale=0.5)
    shown = face_marks.Shown.of(view)  # type: ignore[arg-type]
    st.button("new", on_click=face_marks.mark, args=(shown, (10.0, 10.0, 20.0, 20.0)))
    st.button("again", on_click=face_marks.mark, args=(shown, (52.0, 52.0, 150.0, 150.0)))
    st.button("not 1", on_click=face_marks.dismiss, args=(shown, 1))
    face_marks.offers(view.parsing)


def request_of(app: AppTest) -> FaceRequest:
    found: FaceRequest = app.session_state["gallery"].face_request("sample")
    return found


def press(app: AppTest, label: str) -> AppTest:
    return next(b for b in app.button if b.label == label).click().run()


def test_marking_dismissing_and_finding_again() -> None:
    app = AppTest.from_function(script, default_timeout=60).run()
    first, second = (100.0, 100.0, 300.0, 300.0), (400.0, 100.0, 500.0, 200.0)
    assert "Find faces again" not in [b.label for b in app.button]
    press(app, "new")
    assert request_of(app).boxes == (first, second, (20.0, 20.0, 40.0, 40.0))
    press(app, "again")
    assert request_of(app).boxes == (second, (104.0, 104.0, 300.0, 300.0)), (
        "a correction, not a third"
    )
    press(app, "not 1")
    assert request_of(app).boxes == (second,)
    press(app, "Find faces again")
    assert request_of(app) == FaceRequest()


def test_the_limit_can_be_raised() -> None:
    app = AppTest.from_function(script, default_timeout=60).run()
    press(app, "Parse up to 100 faces")
    assert request_of(app) == FaceRequest(max_faces=100)
    press(app, "Parse up to 254 faces")
    assert not [b for b in app.button if b.label.startswith("Parse up to")]


def test_faces_boxed_in_the_sample_are_this_sessions_own(app: AppTest) -> None:
    app.session_state["gallery"].request_faces("sample", FaceRequest(boxes=()))
    app.run()
    assert not app.error
    assert "No face was found" in app.info[0].value
    app.button(key="find_faces_again").click().run()
    assert not app.info
