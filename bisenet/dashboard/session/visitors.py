"""What a person has here, found again after a reload and in a second tab.

Streamlit's session ends with its page: a reload begins another. The production server gives each
browser an unguessable cookie that no script can read (``bisenet/serving/visiting.py``); sessions
that bring the same one share a gallery, a batch and an evaluation. Nothing is kept longer than
Streamlit itself keeps a session that may come back: two minutes after the last page has gone.

Without a cookie, as under plain ``streamlit run``, a session has its own things alone, and the page
says so before it is left.
"""

from __future__ import annotations

import re
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from bisenet.dashboard.session import jobs

COOKIE = "bisenet_visitor"
# 32 random bytes, as ``secrets.token_urlsafe`` writes them.
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(eq=False)
class _Visitor:
    sessions: set[str] = field(default_factory=set)
    held: dict[str, Any] = field(default_factory=dict)


_visitors: dict[str, _Visitor] = {}
_lock = threading.Lock()


def store() -> MutableMapping[str, Any]:
    """What this person's sessions share; this session's own state where there is no cookie."""
    visitor = _current()
    if visitor is None:
        return cast("MutableMapping[str, Any]", st.session_state)
    return visitor.held


def remembered() -> bool:
    """Whether a reload finds this session's things again."""
    return _current() is not None


def sessions() -> frozenset[str]:
    """The ids of this person's sessions, this one among them; empty outside a session."""
    context = get_script_run_ctx(suppress_warning=True)
    visitor = _current()
    if visitor is not None:
        return frozenset(visitor.sessions)
    return frozenset() if context is None else frozenset({context.session_id})


def _current() -> _Visitor | None:
    context = get_script_run_ctx(suppress_warning=True)
    token = str(st.context.cookies.get(COOKIE, ""))  # Streamlit's test harness gives no text
    if context is None or not TOKEN.fullmatch(token):
        return None
    with _lock:
        visitor = _visitors.get(token)
        new = visitor is None
        if visitor is None:
            visitor = _visitors[token] = _Visitor()
        joined = context.session_id not in visitor.sessions
        visitor.sessions.add(context.session_id)
    if joined:
        jobs.share(context.session_id, visitor.sessions)
    if new:
        jobs.at_session_end(partial(_forget, token))
    return visitor


def _forget(token: str) -> None:
    with _lock:
        visitor = _visitors.pop(token, None)
    if visitor is not None:
        visitor.held.clear()
        jobs.unshare(visitor.sessions)
