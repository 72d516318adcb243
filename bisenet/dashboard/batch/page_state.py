"""A session's batch: begun, watched from any page, let go with the session or by the next one."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from bisenet.batch.runner import Batch
from bisenet.dashboard.session import resources, shell, upload_store, visitors
from bisenet.dashboard.session.gallery import StoredPhoto
from bisenet.dashboard.session.jobs import Job, at_session_end
from bisenet.dashboard.viewer import select_face
from bisenet.images import samples
from bisenet.images.archives import ArchiveError, SkippedFile
from bisenet.images.decode import ImageError, display_name
from bisenet.images.sources import PhotoSources, from_files
from bisenet.parse_queue import background
from bisenet.parser import FramingName
from bisenet.runtime.admission import QueueFull

_PAGE = "batch_page"
_UPLOAD = "batch-upload"
_REFUSED = "batch_refused"
_PROBLEM = "batch_problem"
_WANTED = "batch_wanted"


@dataclass(frozen=True, eq=False)
class PageState:
    """A batch and the job that runs it; ``forget`` ends the watch over its session.

    ``samples`` says that its photos are the app's own.
    """

    batch: Batch
    job: Job[None]
    weights: str
    forget: Callable[[], None]
    samples: bool = False


def current() -> PageState | None:
    """This session's batch, or None."""
    page: PageState | None = visitors.store().get(_PAGE)
    return page


def upload_key() -> str:
    """The upload box's key."""
    return upload_store.box_key(_UPLOAD)


def refused() -> tuple[SkippedFile, ...]:
    """Why nothing of the last upload could be parsed."""
    bad: tuple[SkippedFile, ...] = st.session_state.get(_REFUSED, ())
    return bad


def begin(files: Sequence[UploadedFile], framing: FramingName) -> None:
    """Start on uploaded files; the upload box is emptied and the batch holds the files alone.

    Raises:
        EngineError, WeightsError: the network cannot be opened.
    """
    uploads = from_files((file.name, file) for file in files)
    st.session_state[_REFUSED] = () if uploads.sources else uploads.refused
    upload_store.empty_box(_UPLOAD)
    if uploads.sources:
        _start(uploads, framing)
    upload_store.forget(files)


def begin_samples() -> None:
    """Start on the app's own samples.

    Raises:
        EngineError, WeightsError: the network cannot be opened.
    """
    photos = ((name, io.BytesIO(data)) for name, data in samples.variations())
    _start(from_files(photos), "auto", samples=True)


def clear() -> None:
    """Stop the batch and let go of it."""
    page: PageState | None = visitors.store().pop(_PAGE, None)
    if page is not None:
        page.job.cancel()
        page.batch.release()
        page.forget()
    for key in (_REFUSED, _PROBLEM, _WANTED):
        st.session_state.pop(key, None)


def forget() -> None:
    """As ``clear``, and empty the upload box: files may lie there that no batch has begun with."""
    clear()
    upload_store.empty_box(_UPLOAD)


def open_in_explore(name: str, face: int | None = None) -> None:
    """Put a photo of the batch into the gallery, choose a face and go there.

    A sentence where that cannot be.
    """
    page = current()
    if page is None:
        return
    try:
        data, mark = page.batch.read(name), shell.session_mark()
        shell.gallery().add(StoredPhoto.from_bytes(data, display_name(name), session=mark))
    except (ImageError, ArchiveError, QueueFull) as error:
        st.session_state[_PROBLEM] = str(error)
        return
    faces = next((p.faces for p in page.batch.snapshot().items if p.name == name), 0)
    select_face(face if faces > 1 else None)
    st.switch_page("pages/explore.py")


def want(name: str, face: int) -> None:
    """Ask for a photo's face from a callback, where no page can be switched yet."""
    st.session_state[_WANTED] = (name, face)


def open_wanted() -> None:
    """Open what a callback asked for."""
    wanted: tuple[str, int] | None = st.session_state.pop(_WANTED, None)
    if wanted is not None:
        open_in_explore(*wanted)


def take_problem() -> str:
    """What went wrong with the last click, once."""
    problem: str = st.session_state.pop(_PROBLEM, "")
    return problem


def _start(uploads: PhotoSources, framing: FramingName, samples: bool = False) -> None:
    clear()
    weights = shell.current_weights()
    parser = resources.get_parser(weights)
    parse = background(parser, framing, shell.session_mark(), lambda: batch.stopping)
    batch = Batch(uploads, parse)
    job = Job(batch.run, name="batch")
    page = PageState(batch, job, weights, at_session_end(batch.release), samples)
    visitors.store()[_PAGE] = page
    job.start()
