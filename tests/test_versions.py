"""Upgrades and downgrades: what another version has left behind, with more in it or less, is good for this one."""

import json
from dataclasses import asdict

import pytest

from conftest import until
from palimpsest.app import resume, settings, state
from palimpsest.app.pages import Pages
from palimpsest.app.recovery import Recovery
from palimpsest.app.resume import Desk, Place
from palimpsest.app.servers import chosen
from palimpsest.app.settings import Settings

MORE = {"from_another_version": [1, {"a": None}]}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    for kind in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))


def test_what_was_open_last(tmp_path):
    desk = Desk([Place(str(tmp_path / "a"), 3, 4), Place("b")], 1, folder=str(tmp_path), aside=1)
    told = asdict(desk) | MORE
    told["places"] = [place | MORE for place in told["places"]]
    state.write("session", told)
    assert resume.load() == desk
    for gone in ("front", "geometry", "folder", "aside", "docks"):
        state.write("session", {name: value for name, value in told.items() if name != gone})
        assert resume.load().places == desk.places


def test_what_was_not_saved(run, qtbot, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("as it was")
    first = Pages(Recovery())
    qtbot.addWidget(first)

    async def story(pages):
        page = await pages.open(path)
        page.editor.insertPlainText("typed, ")
        journals = pages.recovery.folder
        await until(lambda: list(journals.glob("*.jsonl")))
        return list(journals.glob("*.jsonl"))

    (journal,) = run(story(first))
    run(until(lambda: "typed, " in journal.read_text()))
    head, *rest = journal.read_text().split("\n")
    told = json.loads(head)
    left = first.recovery.folder.with_name("another")  # of a run that has ended
    left.mkdir()
    (left / journal.name).write_text("\n".join([json.dumps(told | {"file": told["file"] | MORE} | MORE), *rest]))
    second = Pages(Recovery())
    qtbot.addWidget(second)

    async def rescued():
        await second.rescue()

    run(rescued())
    assert second.page.editor.text() == "typed, as it was"
    for pages in (first, second):
        pages.let_go()


def test_preferences_and_the_rest():
    settings.file().parent.mkdir(parents=True)
    settings.file().write_text('font_size = 13\nfrom_another_version = "kept"\n[shortcuts]\n"File: Gone" = "Ctrl+J"\n')
    loaded, wrong = settings.load()
    assert (loaded.font_size, wrong) == (13, "")
    settings.save(Settings(font_size=14, shortcuts=loaded.shortcuts))
    assert 'from_another_version = "kept"' in settings.file().read_text()
    assert '"File: Gone" = "Ctrl+J"' in settings.file().read_text()
    state.write("servers", {"chosen": "http://localhost:1 model", **MORE})
    server = chosen()
    assert server
    assert server.model == "model"
