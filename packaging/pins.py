"""Pins what the engine's own environments hold: ``python packaging/pins.py`` writes ``resources/pins/*.txt``.

One file a platform and kind of device; its first line tells the bytes that are fetched. For the CPU's, uv must find
torch's builds for it: at its index, or in a folder that UV_FIND_LINKS names.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from uv import find_uv_bin

from palimpsest.engine.environment import PYTHON

ROOT = Path(__file__).resolve().parent.parent
# What the engine's process imports; the versions are those of pyproject.toml.
NEEDED = {
    "httpx2",
    "huggingface-hub",
    "msgspec",
    "numpy",
    "platformdirs",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
}
PLATFORM = "x86_64-manylinux_2_28"
KINDS = {"linux-cuda": [], "linux-cpu": ["torch==2.13.0+cpu"]}  # PyPI's torch is for CUDA


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [line for line in project["dependencies"] if Requirement(line).name in NEEDED]
    command = [find_uv_bin(), "pip", "compile", "-", "--quiet", "--format", "pylock.toml"]
    command += ["--python-version", PYTHON, "--python-platform", PLATFORM]
    for name, more in KINDS.items():
        asked = "\n".join([*wanted, *more])
        environment = os.environ if more else {key: os.environ[key] for key in os.environ if key != "UV_FIND_LINKS"}
        run = subprocess.run(command, input=asked, env=environment, text=True, stdout=subprocess.PIPE, check=True)
        size, lines = 0, []
        for package in tomllib.loads(run.stdout)["packages"]:
            wheels = package["wheels"]
            size += max(map(_size, wheels))
            hashes = [f"    --hash=sha256:{wheel['hashes']['sha256']}" for wheel in wheels if wheel["hashes"]]
            lines.append(" \\\n".join([f"{package['name']}=={package['version']}", *hashes]))
        (ROOT / "resources" / "pins" / f"{name}.txt").write_text("\n".join([f"# {size} bytes", *lines]) + "\n")
        print(f"{name}: {size / 1e6:,.0f} MB")
    return 0


def _size(wheel: dict) -> int:
    """The bytes of a wheel, at its index or in a folder."""
    return wheel["size"] if "size" in wheel else Path(urlsplit(wheel["url"]).path).stat().st_size


if __name__ == "__main__":
    sys.exit(main())
