"""What all sessions share, made once a process: the model, and the sample's parsed view."""

from __future__ import annotations

import numpy as np
import streamlit as st

from bisenet import parse_queue
from bisenet.dashboard.session.gallery import View, view_of_people
from bisenet.dashboard.session.view_store import ViewStore, view_bytes
from bisenet.images import samples
from bisenet.parser import FaceParser

SAMPLE_NAME = "Sample: astronaut"

# The sample is parsed for everyone; under this mark it belongs to each session's history.
SAMPLE = "sample"


@st.cache_resource(show_spinner="Loading the network…", max_entries=4)
def get_parser(weights: str) -> FaceParser:
    """One parser a set of weights, shared by all sessions."""
    return FaceParser(weights)


@st.cache_resource(show_spinner=False)
def view_store() -> ViewStore[View]:
    """Where the sessions' parsed photos are kept, bounded together."""
    return ViewStore(view_bytes())


@st.cache_resource(show_spinner="Parsing the sample…", max_entries=4)
def sample_view(weights: str) -> View:
    """The sample face, parsed once for everyone: nobody's own photo is ever cached here."""
    return parse_queue.parse(
        np.asarray(samples.astronaut_face()),
        get_parser(weights),
        lambda _, parsing: view_of_people(parsing, SAMPLE_NAME),
        session=SAMPLE,
    )
