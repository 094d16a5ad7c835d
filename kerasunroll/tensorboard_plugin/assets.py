"""What the browser loads: the tab's own modules, and plotly's script out of its wheel."""

import gzip
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from kerasunroll.tensorboard_plugin.requests import respond

TYPES: Final = {".js": "text/javascript", ".css": "text/css"}
DAY: Final = 86_400


@Request.application
def serve_static(request: Request) -> Response:
    """Answer with a file of `static/`, and with nothing else."""
    name = PurePosixPath(request.path.partition("/static/")[2])
    known = _static()
    if str(name) not in known:
        return Response("There is no such file.", status=404)
    return respond(request, known[str(name)], TYPES[name.suffix])


@Request.application
def serve_plotly(request: Request) -> Response:
    """Answer with plotly's script, which the browser keeps for a day."""
    return respond(request, _plotly(), "text/javascript", expires=DAY, content_encoding="gzip")


@cache
def _static() -> dict[str, bytes]:
    """Return the files by their path below `static/`."""
    folder: Any = files("kerasunroll.tensorboard_plugin") / "static"
    found = {each.name: each for each in folder.iterdir() if each.is_file()}
    found |= {f"views/{each.name}": each for each in (folder / "views").iterdir() if each.is_file()}
    return {name: file.read_bytes() for name, file in found.items() if PurePosixPath(name).suffix in TYPES}


@cache
def _plotly() -> bytes:
    return gzip.compress((files("plotly") / "package_data" / "plotly.min.js").read_bytes(), compresslevel=6, mtime=0)
