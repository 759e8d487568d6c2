"""Is there a screen that Qt can use? If not, one sentence says what is missing."""

import ctypes
import os
import sys

FILL_HINT = "to fill text without a window, use: palimpsest fill FILE --at LINE"

# Shared libraries that Qt's X11 plugin and Qt itself load, and the Debian packages that hold them.
NEEDED = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}
NEEDED_X11 = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def missing() -> str | None:
    """Why no window can be shown here, or None. Looks only; Qt itself would abort the process."""
    if not sys.platform.startswith("linux"):
        return None
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    x11 = platform.startswith("xcb") or (not platform and not os.environ.get("WAYLAND_DISPLAY"))
    if x11 and not os.environ.get("DISPLAY"):
        return f"There is no screen here; {FILL_HINT}"
    needed = NEEDED | NEEDED_X11 if x11 else NEEDED
    packages = [package for library, package in needed.items() if not _loads(library)]
    if packages:
        return f"Qt needs system libraries that are not installed; on Debian: apt install {' '.join(packages)}"
    if x11 and not _connects():
        return f"The screen {os.environ['DISPLAY']} does not answer; {FILL_HINT}"
    return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _connects() -> bool:
    """Does the X server that DISPLAY names answer?"""
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not failed
