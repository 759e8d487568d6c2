"""What the packages promise, as far as it can be checked without building one."""

import io
import os
import re
import runpy
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from palimpsest.app.screen import NEEDED, NEEDED_X11

ROOT = Path(__file__).parent.parent
DEBIAN = ROOT / "packaging" / "debian"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_package_holds_or_depends_on_what_qt_needs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "packaging")
    held = runpy.run_path(str(ROOT / "packaging" / "build.py"))["X11"]
    (depends,) = re.findall(r"^Depends: (.*)$", (DEBIAN / "control").read_text(), re.MULTILINE)
    names = {name.split()[0] for name in re.split(r"[,|]\s*", depends)}
    needed = {library: name for library, name in (NEEDED | NEEDED_X11).items() if library.partition(".")[0] not in held}
    assert len(needed) < len(NEEDED | NEEDED_X11)
    assert names >= set(needed.values())


def test_the_newest_release_is_this_version():
    releases = ElementTree.parse(DEBIAN / "palimpsest.metainfo.xml").findall("releases/release")
    assert releases[0].get("version") == VERSION
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_manual_knows_all_that_can_be_run():
    manual = (DEBIAN / "palimpsest.1").read_text().replace("\\-", "-")
    for word in ("fill", "ocr", "models", "engine", "serve", "doctor", "--wait", "--model", "--version"):
        assert word in manual


@pytest.mark.skipif(not shutil.which("xz"), reason="the archive is unpacked by xz")
def test_the_script_for_people_without_root_installs_and_removes(tmp_path):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        for name, text in {
            "lib/palimpsest/palimpsest": "#!/bin/sh\necho it runs\n",
            "share/applications/palimpsest.desktop": (DEBIAN / "palimpsest.desktop").read_text(),
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    script, prefix = tmp_path / "palimpsest.run", tmp_path / "a place"
    script.write_bytes((DEBIAN / "unpack.sh").read_bytes().replace(b"@KILOBYTES@", b"1") + data.getvalue())

    def run(*arguments):
        environment = os.environ | {"PREFIX": str(prefix), "HOME": str(tmp_path)}
        environment |= {"XDG_DATA_HOME": str(tmp_path / "data"), "HF_HOME": str(tmp_path / "hub")}
        return subprocess.run(["sh", script, *arguments], env=environment, capture_output=True, text=True, check=True)

    for _ in range(2):  # over an older one too
        assert "is installed" in run().stdout
        assert subprocess.check_output(prefix / "bin" / "palimpsest", text=True) == "it runs\n"
    assert f'Exec="{prefix}/bin/palimpsest" %F' in (prefix / "share/applications/palimpsest.desktop").read_text()
    (prefix / "share" / "mine").write_text("of the user")
    engine, checkpoints = tmp_path / "data" / "palimpsest" / "engine", tmp_path / "hub" / "hub"
    engine.mkdir(parents=True)
    checkpoints.mkdir(parents=True)
    told = run("--remove").stdout
    assert "is removed" in told
    assert f"{engine} stays" in told, "nobody is there to be asked"
    assert f"stay in {checkpoints}" in told
    assert engine.exists()
    assert [file for file in prefix.rglob("*") if not file.is_dir()] == [prefix / "share" / "mine"]


def test_the_installer_for_windows_runs_what_the_command_does_and_leaves_nothing():
    windows = ROOT / "packaging" / "windows"
    script = (windows / "setup.nsi").read_text()
    entry = "-P -m palimpsest.app.main"
    assert entry in script
    assert entry in (windows / "palimpsest.cmd").read_text()
    made, removed = script.split('Section "Uninstall"')
    assert "HKLM" not in script, "it is for one user"
    assert "RequestExecutionLevel user" in made
    for what in ("$SMPROGRAMS\\Palimpsest.lnk", '"$INSTDIR"', "${KEY}"):
        assert what in removed
