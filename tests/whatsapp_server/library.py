"""Where the installed client is, on machines where the server can meet it."""

import importlib.util
import platform
import sys
from pathlib import Path

_HERE = (sys.platform, platform.machine())


def client_library(place: tuple[str, str] = _HERE) -> Path | None:
    """The installed client's shared object; None on anything but Linux x86-64."""
    spec = importlib.util.find_spec("neonize")
    if spec is None or spec.origin is None or place != ("linux", "x86_64"):
        return None
    library = Path(spec.origin).with_name("neonize-linux-amd64.so")
    return library if library.is_file() else None
