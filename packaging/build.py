"""Builds what people install: ``python packaging/build.py deb`` (``run`` for people without root, ``windows``).

Needs Debian 12 or later with dpkg-deb, binutils, xz-utils, python3-dev, g++, cmake, ninja-build, libxcb-cursor0,
libxcb-icccm4 and libxcb-keysyms1, and ``appimage`` also appimagetool; the rest it fetches into ``build/``. What was
built lies in ``dist/``. ``try`` installs the package that lies there in minimal Debian trees, fills a text, shows its
window and removes it again; ``try-run`` does so with the script, as somebody who is not root. Both need root and
mmdebstrap. ``try-windows`` does so with the installer for Windows, as far as Wine goes.

**Untested**, since nobody could run them yet: ``macos`` (on a Mac), and the recipe for Flatpak, which wraps what
``bundle`` leaves in ``build/bundle``.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import windows
from windows import tools

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD, DIST = ROOT / "build", ROOT / "dist"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
SETUP = DIST / f"palimpsest-{VERSION}-setup.exe"
PACKAGE = DIST / f"palimpsest_{VERSION}_amd64.deb"
SCRIPT = DIST / f"palimpsest-{VERSION}-x86_64.run"
SUITES = ("bookworm", "trixie")
PLACE = ("--at", "2:12", "--seed", "1")  # of a hole to be filled
ENDED = "124"  # by timeout: until then the window was there
TEXT = Path("/tmp/some.py")
# The window for a while, on no screen and on X11's.
SHOWN = tuple(
    f"QT_QPA_PLATFORM={one} timeout 15 {{}} {TEXT} 2>/dev/null; echo $?" for one in ("offscreen", "xcb xvfb-run -a")
)
APT, QUIETLY = "apt-get -qq --no-install-recommends", "</dev/null >/dev/null 2>&1"
TOOL = "pyinstaller>=6.22,<7"
# Others break when stripped, as OpenBLAS does.
STRIPPED = ("libtorch_cpu.so", "libtorch_python.so", "libpython3*", "cv2.abi3.so")
OPENCV = "opencv-python-headless"
# What Qt needs of X11 and many a desktop lacks, where only root could add it.
X11 = {f"libxcb-{name}" for name in ("cursor", "icccm", "image", "keysyms", "render-util", "util")}
SOURCES = ("experts.py", "linear.py", "sampler.py")  # of kernels: Triton reads them, so they must be there as text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, *TRIALS])
    target = parser.parse_args().target
    if target in TRIALS:
        TRIALS[target]()
        return 0
    made = TARGETS[target]()
    print(f"{made.relative_to(ROOT)}: {kilobytes(made) * 1.024e-3:.0f} MB")
    return 0


def bundle() -> Path:
    """The folder with the program and all it needs."""
    python = tools(BUILD)
    # Not editable: PyInstaller does not follow the finder of an editable one.
    run(python, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", ROOT)
    run(python, "-m", "pip", "install", "--quiet", ROOT, TOOL)
    if sys.platform == "linux":
        opencv(python)
    options = ("--noconfirm", "--log-level", "WARN", "--distpath", BUILD / "bundle", "--workpath", BUILD / "work")
    run(python, "-m", "PyInstaller", *options, HERE / "palimpsest.spec")
    folder = BUILD / "bundle" / "palimpsest"
    for library in (found for name in STRIPPED for found in folder.rglob(name) if sys.platform == "linux"):
        run("strip", "--strip-unneeded", library)
    check(folder)
    return folder


def opencv(python: Path) -> None:
    """Put OpenCV made from its sources by ``opencv.cmake`` in the place of its wheel."""
    version = told(python, "-c", f"from importlib.metadata import version; print(version('{OPENCV}'))").strip()
    folder = BUILD / f"opencv-{version}"
    made = folder / "made" / "lib" / "python3" / "cv2.abi3.so"
    if not made.exists():
        fetched = ("--no-deps", "--no-binary", OPENCV, "--dest", folder, f"{OPENCV}=={version}")
        run(python, "-m", "pip", "download", "--quiet", *fetched)
        (archive,) = folder.glob("*.tar.gz")
        run("tar", "--extract", "--file", archive, "--directory", folder)
        (sources,) = folder.glob("*/opencv")
        include, place, name = sysconfig.get_config_vars("INCLUDEPY", "LIBDIR", "LDLIBRARY")
        bound = (
            f"-DPYTHON3_EXECUTABLE={python}",
            f"-DPYTHON3_INCLUDE_DIR={include}",
            f"-DPYTHON3_LIBRARY={place}/{name}",
        )
        run("cmake", "-G", "Ninja", "-C", HERE / "opencv.cmake", "-S", sources, "-B", folder / "made", *bound)
        run("cmake", "--build", folder / "made", "--target", "opencv_python3")
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    for wheel in ("cv2", "opencv_python_headless.libs"):
        shutil.rmtree(packages / wheel, ignore_errors=True)
    shutil.copy(made, packages)


def check(folder: Path) -> None:
    """Refuse a bundle that would not run elsewhere. Raises SystemExit."""
    wrong = [f"{link} leads nowhere" for link in folder.rglob("*") if link.is_symlink() and not link.exists()]
    kernels = folder / "_internal" / "palimpsest" / "engine" / "kernels"
    wrong += [f"{kernels / name} is missing" for name in SOURCES if not (kernels / name).exists()]
    if sys.platform == "linux":
        there = {path.name.partition(".")[0] for path in (folder / "_internal").iterdir()}
        wrong += [f"{library} is missing: install it here" for library in sorted(X11 - there)]
    if wrong:
        raise SystemExit("\n".join(wrong))


def deb() -> Path:
    """A package for Debian 12 and later."""
    tree = BUILD / "deb"
    lay_out(tree, tree / "usr")
    (tree / "usr" / "bin").mkdir()
    (tree / "usr" / "bin" / "palimpsest").symlink_to("../lib/palimpsest/palimpsest")
    control = (HERE / "debian" / "control").read_text().format(version=VERSION, size=kilobytes(tree))
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(control)
    shutil.copy(HERE / "debian" / "postrm", tree / "DEBIAN")
    (tree / "DEBIAN" / "postrm").chmod(0o755)
    DIST.mkdir(exist_ok=True)
    run("dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--threads-max=2", "--build", tree, PACKAGE)
    return PACKAGE


def tried(suite: str) -> None:
    """Install the package in a minimal tree of that Debian, fill a text by it, and remove it. Raises SystemExit where
    that is not the text which the program gives here, and where something stays behind."""
    tree, expected = minimal(suite)
    shutil.copy(PACKAGE, tree / "root")
    inside(tree, f"{APT} install /root/{PACKAGE.name} {QUIETLY}")
    found = inside(tree, f"palimpsest fill {TEXT} {' '.join(PLACE)}")
    inside(tree, f"{APT} install xvfb xauth {QUIETLY}")
    shown = [inside(tree, f"HOME=/tmp {start.format('palimpsest')}").strip() for start in SHOWN]
    inside(tree, f"DEBIAN_FRONTEND=noninteractive apt-get purge -qq palimpsest {QUIETLY}")
    elsewhere = "-path /proc -prune -o -path /tmp -prune -o -path /root -prune"
    left = inside(tree, f"find / -xdev {elsewhere} -o -iname '*palimpsest*' -print")
    judge(suite, expected, found, shown, left)


def tried_without_root(suite: str) -> None:
    """Do so with the script, as somebody who may change nothing but her home."""
    tree, expected = minimal(suite)
    shutil.copy(SCRIPT, tree / "tmp" / "palimpsest.run")
    needed = (HERE / "debian" / "control").read_text().partition("Depends: ")[2].partition("\n")[0]
    inside(tree, f"{APT} satisfy '{needed}, xz-utils, xvfb, xauth' {QUIETLY}")
    inside(tree, "useradd --create-home --shell /bin/sh somebody")

    def as_somebody(script: str) -> str:
        (tree / "tmp" / "script").write_text(script)
        return inside(tree, "su - somebody /tmp/script")

    as_somebody("sh /tmp/palimpsest.run >/dev/null")
    place = "~/.local/bin/palimpsest"
    found = as_somebody(f"{place} fill {TEXT} {' '.join(PLACE)}")
    shown = [as_somebody(start.format(place)).strip() for start in SHOWN]
    as_somebody("sh /tmp/palimpsest.run --remove >/dev/null")
    hers = " ".join(f"! -path '*/{place}/*'" for place in (".config", ".cache", ".local/state", "share/palimpsest"))
    left = inside(tree, f"find /home/somebody ! -type d -path '*palimpsest*' {hers}")
    judge(f"{suite}, without root", expected, found, shown, left)


def minimal(suite: str) -> tuple[Path, str]:
    """A new minimal tree of that Debian with a text to be filled, and what the program writes there."""
    tree = BUILD / suite
    shutil.rmtree(tree, ignore_errors=True)
    run("mmdebstrap", "--quiet", "--variant=minbase", suite, tree)
    shutil.copy("/etc/resolv.conf", tree / "etc")
    text = tree / TEXT.relative_to("/")
    text.write_text("def add(a, b):\n    return \n")
    inside(tree, "apt-get update -qq")
    return tree, told(BUILD / "venv" / "bin" / "palimpsest", "fill", text, *PLACE)


def judge(where: str, expected: str, found: str, shown: list[str], left: str) -> None:
    """Say that all went well, or raise SystemExit."""
    if found != expected or shown != [ENDED, ENDED] or left:
        raise SystemExit(
            f"{where}: filled {found!r} for {expected!r}, the windows ended with {shown}, left is {left!r}"
        )
    print(f"{where}: installed, filled, shown and removed", flush=True)


def inside(tree: Path, script: str) -> str:
    """What a shell prints in the tree."""
    enter = 'mount -t proc proc "$1/proc" && exec chroot "$1" sh -uc "$2"'
    return told("unshare", "--mount", "--pid", "--fork", "sh", "-c", enter, "sh", tree, script)


def told(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def lay_out(tree: Path, usr: Path) -> None:
    """The bundle and what tells a desktop about it, below ``usr`` in a new ``tree``."""
    folder = bundle()
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(folder, usr / "lib" / "palimpsest", symlinks=True)
    share(usr)


def share(usr: Path) -> None:
    """What tells a desktop about the program, below ``usr``."""
    places = {
        "palimpsest.desktop": "share/applications",
        "palimpsest.metainfo.xml": "share/metainfo",
        "copyright": "share/doc/palimpsest",
    }
    for name, place in places.items():
        (usr / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "debian" / name, usr / place)
    for library in X11:
        (notice,) = Path("/usr/share/doc").glob(f"{library}[0-9]/copyright")
        shutil.copy(notice, usr / "share" / "doc" / "palimpsest" / f"{library}.copyright")
    icons = usr / "share" / "icons" / "hicolor" / "scalable" / "apps"
    icons.mkdir(parents=True)
    shutil.copy(ROOT / "resources" / "icons" / "palimpsest.svg", icons)
    packed(ROOT / "CHANGELOG.md", usr / "share" / "doc" / "palimpsest" / "changelog.gz")
    packed(HERE / "debian" / "palimpsest.1", usr / "share" / "man" / "man1" / "palimpsest.1.gz")


def packed(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(gzip.compress(file.read_bytes(), mtime=0))


def without_root() -> Path:
    """A script that unpacks itself into ``~/.local``."""
    tree = BUILD / "run"
    lay_out(tree, tree)
    DIST.mkdir(exist_ok=True)
    archive = BUILD / "run.tar.xz"
    run("tar", "--create", "--xz", "--file", archive, "--owner=0", "--group=0", "--directory", tree, ".")
    with SCRIPT.open("wb") as file:
        script = (HERE / "debian" / "unpack.sh").read_text()
        file.write(script.replace("@KILOBYTES@", str(kilobytes(tree))).encode())
        with archive.open("rb") as data:
            shutil.copyfileobj(data, file)
    SCRIPT.chmod(0o755)
    return SCRIPT


def appimage() -> Path:
    """One file that runs where it lies."""
    tool = shutil.which("appimagetool")
    if not tool:
        raise SystemExit("appimagetool is not on the PATH: it comes from https://github.com/AppImage/appimagetool.")
    tree = BUILD / "appimage"
    lay_out(tree, tree / "usr")
    shutil.copy(HERE / "appimage" / "AppRun", tree)
    shutil.copy(HERE / "debian" / "palimpsest.desktop", tree)
    shutil.copy(ROOT / "resources" / "icons" / "palimpsest.svg", tree)
    DIST.mkdir(exist_ok=True)
    made = DIST / f"palimpsest-{VERSION}-x86_64.AppImage"
    run(tool, tree, made)
    return made


def macos() -> Path:
    """A disk image with the application."""
    if sys.platform != "darwin":
        raise SystemExit("Only a Mac builds for Macs: run this on one.")
    bundle()
    DIST.mkdir(exist_ok=True)
    made = DIST / f"palimpsest-{VERSION}.dmg"
    application = BUILD / "bundle" / "Palimpsest.app"
    run("hdiutil", "create", "-volname", "Palimpsest", "-srcfolder", application, "-ov", "-format", "UDZO", made)
    return made


def kilobytes(made: Path) -> int:
    """What a file, or all of a folder, takes, in KiB."""
    return sum(file.lstat().st_size for file in (made, *made.rglob("*")) if not file.is_dir()) // 1024


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, env=os.environ | {"XZ_DEFAULTS": "--threads=2"})


TARGETS = {
    "bundle": bundle,
    "deb": deb,
    "run": without_root,
    "windows": lambda: windows.installer(SETUP, BUILD, VERSION),
    "appimage": appimage,
    "macos": macos,
}

TRIALS = {
    "try": lambda: [tried(suite) for suite in SUITES],
    "try-run": lambda: [tried_without_root(suite) for suite in SUITES],
    "try-windows": lambda: windows.tried(SETUP, BUILD, VERSION),
}

if __name__ == "__main__":
    sys.exit(main())
