"""A person in the dashboard without a browser: Streamlit's own messages over a WebSocket."""

from __future__ import annotations

import http.client
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileUploaderState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect


class PageClient:
    """One session of the dashboard; ``base`` is such as ``http://127.0.0.1:8080``."""

    def __init__(self, base: str, page: str = ""):
        self.base = base
        self.page = page
        self._host = urllib.parse.urlsplit(base).netloc
        with urllib.request.urlopen(f"{base}/_stcore/health", timeout=30) as answer:
            cookies = answer.headers.get_all("set-cookie") or []
        found = re.search(r"_streamlit_xsrf=([^;]+)", " ".join(cookies))
        self._xsrf = found[1] if found else ""
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(
                f"ws://{self._host}/_stcore/stream",
                subprotocols=["streamlit", self._xsrf or "-"],  # type: ignore[list-item]
                additional_headers={"Origin": base, "Cookie": f"_streamlit_xsrf={self._xsrf}"},
                max_size=None,
                open_timeout=60,
            )
        )
        self.media: set[str] = set()
        self.widgets: dict[str, str] = {}
        self.session_id = ""
        self._box, self._files = "", FileUploaderState()
        self._page_hash = ""
        self.run()

    def run(self, message: BackMsg | None = None) -> None:
        """Run the script and wait for its end; ``media`` and ``widgets`` are what it drew."""
        if message is None:
            message = BackMsg()
            message.rerun_script.query_string = ""
        message.rerun_script.page_name = self.page
        message.rerun_script.page_script_hash = self._page_hash
        self._socket.send(message.SerializeToString())
        self.media, self.widgets = set(), {}
        for answer in self._answers():
            if answer.WhichOneof("type") == "new_session":
                self._page_hash = answer.new_session.page_script_hash
            if answer.WhichOneof("type") == "script_finished":
                return

    def upload(self, name: str, data: bytes, again: bool = False) -> None:
        """Drop one file on the page's upload box, and wait until the page shows it.

        Args:
            again: into the box of the last upload, with the file that lies there, as a browser
                does while the script still parses that one.
        """
        request = BackMsg()
        request.file_urls_request.request_id = "r"
        request.file_urls_request.file_names.append(name)
        request.file_urls_request.session_id = self.session_id
        self._socket.send(request.SerializeToString())
        urls = next(
            answer.file_urls_response.file_urls[0]
            for answer in self._answers()
            if answer.WhichOneof("type") == "file_urls_response"
        )
        self._put(urls.upload_url, name, data)
        message = BackMsg()
        state = message.rerun_script.widget_states.widgets.add()
        if not again:
            self._box, self._files = self.widgets["file_uploader"], FileUploaderState()
        state.id = self._box
        state.file_uploader_state_value.CopyFrom(self._files)
        file = state.file_uploader_state_value.uploaded_file_info.add()
        file.file_id, file.name, file.size = urls.file_id, name, len(data)
        file.file_urls.CopyFrom(urls)
        self._files.CopyFrom(state.file_uploader_state_value)
        self.run(message)

    def click(self, label: str) -> None:
        """Press a button of the page."""
        message = BackMsg()
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.trigger_value = self.widgets[label], True
        self.run(message)

    def close(self) -> None:
        """Leave."""
        self._open.close()

    def _answers(self) -> Iterator[ForwardMsg]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            answer = ForwardMsg()
            answer.ParseFromString(self._socket.recv(timeout=120))
            if answer.WhichOneof("type") == "new_session":
                self.session_id = answer.new_session.initialize.session_id or self.session_id
            self._note(answer)
            yield answer
        raise TimeoutError("the page did not come to its end")

    def _note(self, answer: ForwardMsg) -> None:
        if answer.WhichOneof("type") != "delta":
            return
        text = answer.delta.SerializeToString()
        self.media |= {found.decode() for found in re.findall(rb"/media/[0-9a-f]+\.\w+", text)}
        element = answer.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "file_uploader":
            self.widgets[kind] = element.file_uploader.id
        elif kind == "button":
            self.widgets[element.button.label] = element.button.id

    def _put(self, path: str, name: str, data: bytes) -> None:
        edge = b"----drill"
        body = b"".join(
            (
                b"--%s\r\nContent-Disposition: form-data; " % edge,
                b'name="file"; filename="%s"\r\n\r\n' % name.encode(),
                data,
                b"\r\n--%s--\r\n" % edge,
            )
        )
        connection = http.client.HTTPConnection(self._host, timeout=120)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={edge.decode()}",
            "Origin": self.base,
            "Cookie": f"_streamlit_xsrf={self._xsrf}",
            "X-Xsrftoken": self._xsrf,
        }
        connection.request("PUT", path, body, headers)
        status = connection.getresponse().status
        connection.close()
        if status not in (200, 204):
            raise ConnectionError(f"the upload got {status}")
