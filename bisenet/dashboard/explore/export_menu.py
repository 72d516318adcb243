"""The download menu of a parsed photo."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from bisenet.classes import BACKGROUND
from bisenet.dashboard.session.gallery import View
from bisenet.dashboard.viewer import ViewState
from bisenet.dashboard.widgets import downloads, face_choice, unknown_choice
from bisenet.output import encode, render

_ASKED = "downloads"
_ZIP = "export_zip"
EACH = "Each face separately"
ALL = "All faces"


@dataclass(frozen=True)
class Scope:
    """Whose files are downloaded.

    A face's labels at the photo's resolution are made when its file is: those of thirty faces would
    not fit into memory.

    Attributes:
        view: the photo, or one of its faces.
        stem: what files are called after.
        faces: ids of the faces that have a file each; empty for one file.
    """

    view: View
    stem: str
    faces: tuple[int, ...] = ()

    def of(self, classes: Collection[int]) -> Scope:
        """The same with those faces that have at least one of these classes."""
        has = {f.id: bool(np.isin(f.labels, list(classes)).any()) for f in self.view.parsing.faces}
        return replace(self, faces=tuple(i for i in self.faces if has[i]))

    def file(self, make: Callable[[View], bytes], name: str) -> tuple[Callable[[], bytes], str]:
        """What makes a file, and its name; where there is one a face, a zip of them."""
        if not self.faces:
            return (lambda: make(self.view)), f"{self.stem}-{name}"
        files: dict[str, Callable[[], bytes]] = {
            f"{self.stem}-face-{i}-{name}": partial(lambda i: make(self.view.of_face(i)), i)
            for i in self.faces
        }
        kind = name.rpartition(".")[0]
        return (lambda: encode.files_zip(files)), f"{self.stem}-each-face-{kind}.zip"

    def regions(self) -> tuple[pd.DataFrame, str]:
        """The measurements and their file's name; of several faces with a column ``face``."""
        if not self.faces:
            return self.view.regions, f"{self.stem}-regions.csv"
        tables = []
        for i in self.faces:
            table = self.view.of_face(i).regions
            table = table[table["class_id"] != BACKGROUND].copy()
            table.insert(0, "face", i)
            tables.append(table)
        return pd.concat(tables, ignore_index=True), f"{self.stem}-each-face-regions.csv"

    def bundle(self, file_name: str, unknown: int) -> tuple[dict[str, Callable[[], bytes]], str]:
        """Every file by its name, and the name of the zip that holds them."""

        def of(view: View, stem: str) -> dict[str, Callable[[], bytes]]:
            return encode.bundle(view.parsing, view.regions, stem, file_name, unknown)

        if not self.faces:
            return of(self.view, self.stem), f"{self.stem}.zip"

        def made(i: int, name: str) -> bytes:
            return of(self.view.of_face(i), f"{self.stem}-face-{i}")[name]()

        files: dict[str, Callable[[], bytes]] = {
            name: partial(made, i, name)
            for i in self.faces
            for name in of(self.view.of_face(i), f"{self.stem}-face-{i}")
        }
        return files, f"{self.stem}-each-face.zip"


def scope_of(view: View, stem: str, chosen: int | None, choice: str | None) -> Scope:
    """Whose files a choice means: ``Each face separately``, ``All faces``, or the chosen face."""
    if len(view.parsing.faces) < 2:
        return Scope(view, stem)
    if choice == EACH:
        return Scope(view, stem, tuple(face.id for face in view.parsing.faces))
    if chosen is None or choice == ALL:
        return Scope(view, f"{stem}-all-faces")
    return Scope(view.of_face(chosen), f"{stem}-face-{chosen}")


def ask() -> None:
    """Open the menu in the run that follows; the viewer's toolbar calls this."""
    st.session_state[_ASKED] = True


def export_menu(view: View, stem: str, file_name: str, looked_at: ViewState) -> None:
    """Every file that a photo gives, when asked for; pictures follow what the viewer shows.

    Of several faces they are of the chosen one, of each, or of all; file names say which.

    Args:
        stem: what the photo's files are called after.
        file_name: the photo's own.
    """
    if st.session_state.pop(_ASKED, False):
        clear()
        # Dismissing it runs the page, so that Streamlit lets go of the photo that it holds.
        menu = st.dialog("Download", position="right", on_dismiss=clear)(_menu)
        menu(view, stem, file_name, looked_at)


def _menu(view: View, stem: str, file_name: str, looked_at: ViewState) -> None:
    with st.container():
        chosen = face_choice.current(view.parsing, looked_at.face)
        scope = scope_of(view, stem, chosen, _choose(view, chosen))
        unknown = unknown_choice.choose(view.parsing.all_covered, "export_unknown")
        _pictures(scope, looked_at, unknown)
        _numbers(scope, file_name)
        st.caption("All of it")
        _zip(scope, file_name, unknown)


def clear() -> None:
    """Let the ZIP go that was made last."""
    st.session_state.pop(_ZIP, None)


def _choose(view: View, chosen: int | None) -> str | None:
    if len(view.parsing.faces) < 2:
        return None
    this = [] if chosen is None else [f"Face {chosen}"]
    options = [*this, EACH, ALL]
    return st.segmented_control(
        "Files of",
        options,
        default=options[0] if this else ALL,
        required=True,
        # A face that is chosen anew is what the files are of.
        key=f"export_scope-{chosen}",
        help="Choose a face in the picture to get its files alone.",
    )


def _pictures(scope: Scope, looked_at: ViewState, unknown: int) -> None:
    def as_shown(view: View) -> bytes:
        parsing, opacity = view.parsing, looked_at.opacity / 100
        return encode.picture_png(
            render.draw(parsing.image, parsing.mask, looked_at.mode, opacity, looked_at.hidden)
        )

    kind = "ZIP" if scope.faces else "PNG"
    st.caption("Pictures, at the photo's resolution")
    with st.container(horizontal=True):
        downloads.button(
            f"Mask, {kind}",
            *scope.file(lambda view: encode.mask_png(view.parsing, unknown), "mask.png"),
            "Class ids, with their palette and names.",
        )
        downloads.button(
            f"As shown, {kind}",
            *scope.file(as_shown, "overlay.png"),
            "The photo with the regions that are switched on, as the viewer shows them.",
        )
    soft = st.toggle(
        "Soft edges", key="export_soft", help="Cut-outs take their edge from the probabilities."
    )
    classes = scope.view.parsing.classes
    shown = [c for c in classes if c not in looked_at.hidden and c != BACKGROUND]
    what = f"the {len(shown)} shown regions" if len(shown) != 1 else "the shown region"
    downloads.button(
        f"Cut-out of {what}, {kind}",
        *scope.of(shown).file(lambda v: encode.cut_out_png(v.parsing, shown, soft), "cut-out.png"),
        "The regions that are switched on, on transparency.",
        disabled=not shown,
    )


def _numbers(scope: Scope, file_name: str) -> None:
    kind = "ZIP" if scope.faces else "JSON"
    st.caption("Numbers")
    with st.container(horizontal=True):
        downloads.csv("Regions, CSV", *scope.regions())
        downloads.button(
            f"Regions, {kind}",
            *scope.file(lambda v: encode.regions_json(v.regions, v.parsing), "regions.json"),
        )
        downloads.button(
            f"COCO RLE, {kind}",
            *scope.file(lambda v: encode.coco_json(v.parsing, file_name), "coco.json"),
            "One annotation a face and region; pycocotools reads it.",
        )
        downloads.button(
            "Timings, CSV",
            lambda: encode.timings_csv(scope.view.parsing),
            f"{scope.stem}-timings.csv",
        )


def _zip(scope: Scope, file_name: str, unknown: int) -> None:
    whose = (scope.stem, scope.faces, unknown)
    if st.session_state.get(_ZIP, (whose,))[0] != whose:
        st.session_state.pop(_ZIP, None)
    if st.button("Make a ZIP of everything", icon=":material/folder_zip:", key="make-zip"):
        bar = st.progress(0.0, "Starting…")
        files, name = scope.bundle(file_name, unknown)
        made = encode.files_zip(
            files, lambda share, file: bar.progress(share, f"Writing {file}" if file else "Done")
        )
        st.session_state[_ZIP] = (whose, made, name)
        bar.empty()
    if _ZIP in st.session_state:
        downloads.button("Everything, ZIP", *st.session_state[_ZIP][1:])
