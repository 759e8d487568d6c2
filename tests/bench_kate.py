"""How soon Palimpsest and Kate show a file, and the memory each takes: ``python tests/bench_kate.py``.

Both get a screen of their own (Xvfb) without a window manager, and an empty home. Some of the file's lines are solid
blocks, and the file counts as shown when a dark row of them stands on the screen: its first lines, or its last ones
where the editor is told to go there, for which all of the file must have been read. They take turns. Needs Debian's
kate and xvfb.
"""

import argparse
import mmap
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
import psutil

SIZES = {"100 KB": 10**5, "10 MB": 10**7, "100 MB": 10**8}
LINE = "the quick brown fox jumps over the lazy dog, and packs five dozen liquor jugs besides, all day and night.\n"
BLOCKS = ("█" * 100 + "\n") * 20
RUN, DARK = 300, 100  # dark pixels in a row that nothing but blocks makes, and what is dark, of 255
GLANCE = 0.01  # seconds between two looks at the screen
SETTLING = 6.0  # seconds until memory is looked at: by then all of the largest file is there
LIMIT = 120  # seconds
EDITORS = {
    "Palimpsest": lambda path, line: [sys.executable, "-m", "palimpsest.app.main", f"{path}:{line}"],
    "Kate": lambda path, line: ["kate", "--new", "--block", "--line", str(line), str(path)],
}


class Screen:
    """An X server whose pixels can be read."""

    def __init__(self, stack: ExitStack):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-wr", "-screen", "0", "1280x900x24", "-fbdir", folder]
        process = stack.enter_context(subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL))
        stack.callback(process.terminate)
        os.close(write)
        with os.fdopen(read) as told:
            self.name = f":{told.readline().strip()}"
        picture = stack.enter_context((Path(folder) / "Xvfb_screen0").open("rb"))
        self._bytes = stack.enter_context(mmap.mmap(picture.fileno(), 0, access=mmap.ACCESS_READ))
        header = np.frombuffer(self._bytes[:100], ">u4")  # of an XWD file
        self._begin, self._row, self._height = int(header[0] + 12 * header[19]), int(header[12]), int(header[5])

    def shows_blocks(self) -> bool:
        """Is there a long dark row?"""
        end = self._begin + self._row * self._height
        rows = np.frombuffer(self._bytes[self._begin : end], np.uint8).reshape(self._height, -1, 4)[::4, :, :3]
        dark = (rows.max(2) < DARK).astype(np.int32)
        sums = np.pad(dark.cumsum(1), ((0, 0), (1, 0)))
        return bool(((sums[:, RUN:] - sums[:, :-RUN]) == RUN).any())


def measure(name: str, path: Path, line: int) -> tuple[float, float, float]:
    """Seconds until the file is shown, and then megabytes of the editor's process and of all that it started."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        screen = Screen(stack)
        sleep(0.5)
        assert not screen.shows_blocks()
        folders = {f"XDG_{kind}_HOME": f"{home}/{kind}" for kind in ("CACHE", "CONFIG", "STATE", "DATA")}
        environment = os.environ | folders | {"HOME": home, "DISPLAY": screen.name, "QT_QPA_PLATFORM": "xcb"}
        command = ["dbus-run-session", "--", *EDITORS[name](path, line)]
        began = perf_counter()
        process = stack.enter_context(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        stack.callback(lambda: [one.kill() for one in (*psutil.Process(process.pid).children(recursive=True), process)])
        while not screen.shows_blocks():
            if process.poll() is not None or perf_counter() - began > LIMIT:
                raise SystemExit(f"{name} does not show {path.name}.")
            sleep(GLANCE)
        seconds = perf_counter() - began
        sleep(SETTLING)
        editor = next(one for one in psutil.Process(process.pid).children() if "dbus" not in one.name())
        sizes = [one.memory_full_info().pss / 1e6 for one in (editor, *editor.children(recursive=True))]
        return seconds, sizes[0], sum(sizes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for told, size in SIZES.items():
            path, lines = Path(folder) / f"{size}.txt", size // len(LINE)
            for place, text, line in (
                ("first", BLOCKS + LINE * lines, 1),
                ("last", LINE * lines + BLOCKS, lines + BLOCKS.count("\n")),
            ):
                path.write_text(text)
                pairs = [[measure(name, path, line) for name in EDITORS] for _ in range(args.runs)]
                ours, theirs = ([median(them) for them in zip(*runs, strict=True)] for runs in zip(*pairs, strict=True))
                print(
                    f"{told:7} {place:5} lines shown in {ours[0]:5.2f} s, Kate {theirs[0]:5.2f} s "
                    f"({ours[0] / theirs[0]:.2f}); memory {ours[1]:4.0f} MB and the model's process "
                    f"{ours[2] - ours[1]:4.0f} MB, Kate {theirs[2]:4.0f} MB",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
