from __future__ import annotations

from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile, UploadedFileRec

from bisenet.dashboard.session import upload_store


def test_a_file_that_is_gone_is_left_out() -> None:
    record = UploadedFileRec("1", "face.jpg", "image/jpeg", b"bytes")
    file = UploadedFile(record, FileURLs())
    assert upload_store.there([DeletedFile("0"), file]) == [file]
    assert upload_store.there([DeletedFile("0")]) == []
    assert upload_store.there([None]) == []
    assert upload_store.there(None) == []
