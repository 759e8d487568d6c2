"""Pictures that the model is shown: asked about in the ask bar, seen by servers, refused by a model without eyes."""

import base64
import io
import json

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog

from conftest import ANSWER, answered, until
from palimpsest.app import instructions, state
from palimpsest.app.main import main
from palimpsest.app.settings import Settings
from palimpsest.engine import Fill, Picture, PictureError, RequestError, pictures_of
from palimpsest.engine.remote import RemoteBackend
from palimpsest.engine.wire import fill_of
from peers import Peer

RED = (255, 0, 0)


@pytest.fixture
def chart(tmp_path):
    path = tmp_path / "chart.webp"
    Image.new("RGB", (3200, 40), RED).save(path, lossless=True)
    return path


def seen(body: bytes) -> list[Image.Image]:
    """The pictures in what a server was sent, which go before the text."""
    (message,) = json.loads(body)["messages"]
    *pictures, text = message["content"]
    assert text["type"] == "text"
    heads, data = zip(*(one["image_url"]["url"].split(",") for one in pictures), strict=True)
    assert set(heads) == {"data:image/png;base64"}
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in data]


def test_a_picture_is_shown_as_png_no_larger_than_it_can_be_seen(chart):
    (picture,) = pictures_of(chart)
    image = Image.open(io.BytesIO(picture.file))
    assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (3200, 40), RED)
    chart.write_bytes(b"RIFF")
    with pytest.raises(PictureError, match="no picture of a kind"):
        pictures_of(chart)


def test_a_server_sees_the_pictures_before_the_text(chart):
    fill = Fill("# ", "\n", instruction="Describe this picture", pictures=pictures_of(chart) * 2)
    with Peer(ANSWER) as peer:
        backend = RemoteBackend(peer.url)
        backend.load()
        _, done = answered(backend, fill)
        backend.close()
        (_, body) = peer.asked[-1]
    assert done.holes[0].text == "a red square"
    assert [one.getpixel((0, 0)) for one in seen(body)] == [RED, RED]
    assert "Describe this picture" in json.loads(body)["messages"][0]["content"][-1]["text"]


def test_a_model_without_eyes_says_so(backend, chart):
    with pytest.raises(RequestError, match="mini sees no pictures: choose another model"):
        answered(backend, Fill("", "", pictures=pictures_of(chart)))


def test_pictures_travel_as_they_are():
    fill = Fill("a", "b", instruction="Describe", pictures=(Picture(b"\x89PNG\0", 2),))
    sent = {"before": "a", "after": "b", "instruction": "Describe", "pictures": [{"file": "iVBORwA=", "second": 2}]}
    assert fill_of(json.dumps(sent).encode()) == fill
    with pytest.raises(RequestError, match="nothing to rewrite"):
        Fill("a", "b", instruction="Describe")


def test_the_command_shows_them_too(chart, tmp_path, capsys):
    file = tmp_path / "a.txt"
    file.write_text("It shows \n")
    with Peer(ANSWER) as peer:
        asked = ["fill", str(file), "--at", "1:10", "--server", peer.url, "--picture", str(chart)]
        assert main([*asked, "--instruction", "Describe this picture"]) == 0
        (_, body) = peer.asked[-1]
    assert capsys.readouterr().out == "a red square\n"
    assert len(seen(body)) == 1
    assert main(["fill", str(file), "--at", "1", "--picture", str(tmp_path / "none.png")]) == 1
    assert "none.png cannot be opened" in capsys.readouterr().err


def test_it_is_asked_about_at_the_caret_and_again(asking, run, qtbot, chart, monkeypatch):
    window, peer = asking
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(chart)], ""))
    bar = window.ask_bar

    async def story():
        window.ask_about_pictures()
        assert bar.pin.toolTip() == "The model sees chart.webp; leave that out"
        assert bar._offered.stringList()[: len(instructions.PICTURE)] == list(instructions.PICTURE)
        bar.field.setText("Describe this picture")
        qtbot.keyClick(bar.field, Qt.Key.Key_Return)
        await until(lambda: window.fills.drafted)
        window.fills.turn(1)
        await until(lambda: window.fills.drafted and len(window.fills.session.answers) == 2)
        window.fills.keep()

    run(story())
    assert window.editor.text() == "a red squareone two\n"
    bodies = [body for path, body in peer.asked if path.endswith("completions")]
    assert [len(seen(body)) for body in bodies] == [1, 1]


def test_pictures_are_dropped_on_the_bar_and_taken_away_again(asking, chart, qtbot):
    window, _ = asking
    bar = window.ask_bar
    window.editor.selectAll()
    window.fills.ask_rewrite()
    assert bar.pictures == []
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(chart))])
    for count in (1, 2):
        bar.dropEvent(
            QDropEvent(
                QPoint(1, 1), Qt.DropAction.CopyAction, dropped, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0)
            )
        )
        assert bar.pictures == [chart] * count
    assert bar.pin.text() == "2 images"
    qtbot.mouseClick(bar.pin, Qt.MouseButton.LeftButton)
    assert bar.pictures == []


async def refused(window, picture):
    """Ask about a picture until it is told why not."""
    window.fills.ask_about([picture])
    window.ask_bar.field.setText("Describe")
    window.ask_bar._send()
    await until(lambda: window.page.banner.message)


def test_a_picture_that_cannot_be_read_is_told(asking, run, chart):
    window, peer = asking
    chart.write_bytes(b"RIFF")

    run(refused(window, chart))
    assert "no picture of a kind" in window.page.banner.message
    assert not window.fills.filling
    assert [path for path, _ in peer.asked if path.endswith("completions")] == []


def test_a_follow_up_is_shown_what_the_bar_shows(asking, run, qtbot, chart):
    window, peer = asking

    async def ask(instruction):
        window.ask_bar.field.setText(instruction)
        asked = len(peer.asked)
        qtbot.keyClick(window.ask_bar.field, Qt.Key.Key_Return)
        await until(lambda: len(peer.asked) > asked and window.fills.drafted)
        messages = json.loads(peer.asked[-1][1])["messages"]
        content = messages[0]["content"]
        return (content, 0) if isinstance(content, str) else (content[-1]["text"], len(content) - 1)

    async def story():
        window.fills.ask_about([chart])
        told = [await ask("Describe this picture")]
        window.fills.ask_rewrite()
        assert window.ask_bar.pin.text() == "1 image"
        told.append(await ask("Shorter"))
        window.fills.ask_rewrite()
        window.ask_bar.show_pictures([])
        told.append(await ask("Shorter still"))
        return told

    first, second, third = run(story())
    assert [count for _, count in (first, second, third)] == [1, 1, 0]
    assert "[[a red square]]" in second[0]
    assert "[[a red square]]" in third[0]


def test_files_that_are_never_sent_are_not_shown_either(asking, run, chart):
    window, peer = asking
    window.use(Settings(servers=(peer.url,)))
    state.write("servers", {"chosen": peer.url})
    secret = chart.with_name("id_card.webp")
    chart.rename(secret)

    run(refused(window, secret))
    assert "id_card.webp is never sent to a server (id_*" in window.page.banner.message
    assert [path for path, _ in peer.asked if path.endswith("completions")] == []
    state.write("servers", {})


async def asked(window, picture):
    """Ask about a picture and wait for what is written."""
    window.fills.ask_about([picture])
    window.ask_bar.field.setText("Describe")
    window.ask_bar._send()
    await until(lambda: window.fills.drafted)


@pytest.mark.parametrize("again", ["another", "follow-up"])
def test_what_was_shown_to_this_machine_is_not_sent_to_a_server_that_is_chosen_later(asking, run, chart, again):
    window, peer = asking
    secret = chart.with_name("id_card.webp")
    chart.rename(secret)

    async def story():
        await asked(window, secret)  # by whoever answers here, which is not among the servers
        window.use(Settings(servers=(peer.url,)))
        state.write("servers", {"chosen": peer.url})
        before = len(peer.asked)
        if again == "another":
            window.fills.turn(1)
        else:
            window.fills.ask_rewrite()
            assert window.ask_bar.pictures
            window.ask_bar.field.setText("Shorter")
            window.ask_bar._send()
        await until(lambda: window.page.banner.message)
        return peer.asked[before:]

    assert [path for path, _ in run(story()) if path.endswith("completions")] == []
    assert "id_card.webp is never sent to a server (id_*" in window.page.banner.message
    state.write("servers", {})


def test_a_server_is_not_told_the_names_of_files(chart):
    with Peer(ANSWER) as peer:
        backend = RemoteBackend(peer.url)
        backend.load()
        answered(backend, Fill("", "", instruction="Describe", pictures=pictures_of(chart)))
        backend.close()
        assert pictures_of(chart)[0].name == "chart.webp"
        assert not any(b"chart" in body for _, body in peer.asked)


def test_the_bar_is_as_wide_as_what_is_in_it(asking, chart):
    window, _ = asking
    window.resize(900, 600)
    window.fills.ask_rewrite()
    window.ask_bar.show_pictures([chart])
    assert window.ask_bar.width() >= window.ask_bar.minimumSizeHint().width()
    late = window.ask_bar.strength.width()
    window.ask_bar.shut()
    window.fills.ask_about([chart])
    assert late == window.ask_bar.strength.width() >= window.ask_bar.strength.sizeHint().width()
