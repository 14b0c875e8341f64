"""Files that people bring and fetch: bounded in size, a name and nothing else of the path, never opened by a browser."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from yunwei.desk.models import Entry
from yunwei.duties.services import File
from yunwei.kernel.errors import YunweiError

#: bytes of one attachment; larger ones belong on a file service with their digest here
MAX_FILE = 20 * 1024 * 1024
#: what every file is served as, whatever it says it is
PLAIN = "application/octet-stream"


def uploaded(request: HttpRequest, name: str = "file") -> File | None:
    """The file of a form. What the browser says of its kind is not kept: nothing here acts on it.

    Raises YunweiError for one that is too large. Control and direction marks leave its name, so that it reads as what
    it is.
    """
    upload = request.FILES.get(name)
    if upload is None:
        return None
    shown = "".join(c for c in str(upload.name or "") if c.isprintable()).strip() or _("附件")
    if (upload.size or 0) > MAX_FILE:
        raise YunweiError(_("文件超过 {n} MB").format(n=MAX_FILE // 1024 // 1024), where=shown[:120])
    return File(shown, upload.read(), PLAIN)


def sent(entry: Entry, content: bytes) -> HttpResponse:
    """A file as a download: a fixed type, not sniffed, not shown in the page's place, not kept by caches."""
    response = HttpResponse(content, content_type=PLAIN)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=entry.file_name) or ""
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
