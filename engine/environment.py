"""A Python environment beside the program, in which the engine computes on what the program itself cannot use.

A packaged Palimpsest holds torch for the CPU only, and nothing that Triton's kernels could be compiled with. When the
user asks for it, uv makes an environment of pinned packages, with a Python of its own; the model's process then runs
there. The file that tells the version is written last: without it an environment is not whole and never used.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs

from palimpsest.engine.errors import EngineError
from palimpsest.engine.language import LOCALE, tr

PYTHON = "3.11"
PINS = Path(__file__).parent.parent / "resources" / "pins"
ROOM = 1 << 30  # bytes of the disk that are left free
UNPACKED = 4  # an environment and uv's copies take that many times what is fetched
DRIVER = Path("/proc/driver/nvidia/version")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # PyPI's builds for Linux are for CUDA
TRIAL = """
import sys
from palimpsest.engine.doctor import examine
told = examine(sys.argv[1])
print(f"{told['device']}; kernels: {told['kernels']}")
"""


def kinds() -> dict[str, int]:
    """The devices for which there are pins on this platform, each with the bytes that are fetched."""
    here = f"{sys.platform}-"
    return {pins.stem.removeprefix(here): _bytes(pins) for pins in sorted(PINS.glob(f"{here}*.txt"), reverse=True)}


def made() -> str:
    """The kind of device that the environment is for; "" when there is none that is whole and of this version."""
    try:
        told = json.loads(_told().read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    kind = told.get("kind", "")
    return kind if kind in kinds() and told == _version(kind) and _python().exists() else ""


def begun() -> bool:
    """Is there an environment, whole or not?"""
    return place().exists()


def useful() -> bool:
    """Has this machine a card that Palimpsest's own torch cannot use, and is nothing made for it yet?"""
    if not DRIVER.exists():
        return False  # most machines, at every start
    own = getattr(sys, "frozen", False) or _installed("torch").endswith("+cpu")
    return own and "cuda" in kinds() and not made()


def python() -> Path | None:
    """The interpreter of the environment; None when there is none that is whole and of this version."""
    return _python() if made() else None


def make(kind: str, tell: Callable[[str], None]) -> str:
    """Make the environment, or what is missing of it, and return what the engine finds there; ``tell`` learns in words
    what goes on. Raises EngineError; what was fetched is kept for the next time."""
    if kind not in kinds():
        raise EngineError(
            tr(
                "There is no environment for {kind} here; there is {names}.",
                kind=kind,
                names=", ".join(kinds()) or tr("none"),
            )
        )
    if made():
        remove()  # it is to be made anew, so something is wrong with it
    _room(kind)
    try:
        place().mkdir(parents=True, exist_ok=True)
        _told().unlink(missing_ok=True)
        _uv(kind, tell, "venv", "--allow-existing", "--python", PYTHON, str(_folder()))
        _uv(kind, tell, "pip", "sync", "--python", str(_python()), str(_pins(kind)))
        copied = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(__file__).parent, _engine(), dirs_exist_ok=True, ignore=copied)
        shutil.copytree(LOCALE, _engine().parent / "resources" / LOCALE.name, dirs_exist_ok=True)
    except OSError as error:
        raise EngineError(
            tr(
                "{place} cannot be written ({reason}): make room, and try again.",
                place=place(),
                reason=error.strerror,
            )
        ) from error
    tell(tr("Trying it…"))
    found = _tried()
    part = _told().with_suffix(".part")
    part.write_text(json.dumps(_version(kind)), "utf-8")
    part.replace(_told())
    return found


def outside() -> dict[str, str]:
    """The variables for programs that are not of the bundle: its libraries are not theirs."""
    variables = dict(os.environ)
    if getattr(sys, "frozen", False):
        variables.pop("LD_LIBRARY_PATH", None)
        if before := variables.pop("LD_LIBRARY_PATH_ORIG", None):
            variables["LD_LIBRARY_PATH"] = before
    return variables


def remove() -> int:
    """Remove the environment with all that was fetched for it, and return how many bytes that gave back."""
    sizes = {(told := file.lstat()).st_ino: told.st_size for file in place().rglob("*")}  # one file has several names
    shutil.rmtree(place(), ignore_errors=True)
    return sum(sizes.values())


def place() -> Path:
    """The folder of all of it: the environment, its Python and uv's copies."""
    return platformdirs.user_data_path("palimpsest") / "engine"


def _folder() -> Path:
    return place() / "environment"


def _told() -> Path:
    return place() / "version.json"


def _python() -> Path:
    return _folder() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _engine() -> Path:
    """Where that Python finds the engine."""
    libraries = "Lib" if os.name == "nt" else f"lib/python{PYTHON}"
    return _folder() / libraries / "site-packages" / "palimpsest" / "engine"


def _pins(kind: str) -> Path:
    return PINS / f"{sys.platform}-{kind}.txt"


def _bytes(pins: Path) -> int:
    """What the first line tells: ``# N bytes``."""
    with pins.open(encoding="utf-8") as lines:
        return int(next(lines).split()[1])


def _version(kind: str) -> dict[str, str]:
    """What an environment must be made of to be used."""
    pins = hashlib.sha256(_pins(kind).read_bytes()).hexdigest()
    return {"kind": kind, "palimpsest": _installed("palimpsest"), "pins": pins}


def _installed(package: str) -> str:
    from importlib.metadata import version  # importing it takes a tenth of the window's start

    return version(package)


def _room(kind: str) -> None:
    above = next(folder for folder in (place(), *place().parents) if folder.exists())
    free, wanted = shutil.disk_usage(above).free, UNPACKED * kinds()[kind]
    if not begun() and wanted + ROOM > free:
        raise EngineError(
            tr(
                "The environment takes {wanted:.1f} GB and {above} has {free:.1f} free: make room there, or "
                "set XDG_DATA_HOME to a folder on another disk.",
                wanted=wanted / 1e9,
                above=above,
                free=free / 1e9,
            )
        )


def _uv(kind: str, tell: Callable[[str], None], *words: str) -> None:
    from uv import find_uv_bin

    folders = {"UV_CACHE_DIR": str(place() / "cache"), "UV_PYTHON_INSTALL_DIR": str(place() / "python")}
    wanted = {"UV_PYTHON_PREFERENCE": "only-managed"}  # Triton needs its headers, which the system's may lack
    if kind == "cpu":
        wanted["UV_INDEX"] = CPU_INDEX
    command, last, environment = [find_uv_bin(), *words, "--no-config"], "", wanted | outside() | folders
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    ) as process:
        assert process.stderr
        try:
            for line in process.stderr:
                if line.strip():
                    last = last if last.startswith("error") else line.strip()
                    tell(line.strip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise EngineError(tr("The environment is not whole: {last} Try again: what was fetched is kept.", last=last))


def _tried() -> str:
    """The engine's own word about the environment. Raises EngineError."""
    from palimpsest.engine.weights import SHIPPED

    command = [_python(), "-I", "-c", TRIAL, SHIPPED]
    run = subprocess.run(command, env=outside(), capture_output=True, text=True, encoding="utf-8", errors="replace")
    if run.returncode:
        *_, last = run.stderr.strip().splitlines() or [tr("it says nothing")]
        raise EngineError(
            tr("The engine does not run in its environment ({last}): remove it and make it anew.", last=last)
        )
    return run.stdout.strip()
