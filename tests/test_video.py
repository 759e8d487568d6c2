"""Short videos that the model is shown: a picture a second, each behind its time."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent

from conftest import answered
from palimpsest.app.main import main
from palimpsest.engine import Fill, Options, PictureError, RequestError, pictures_of, video
from palimpsest.engine.remote import _payload
from palimpsest.engine.video import seconds
from peers import Peer, delta, stream

Film = Callable[..., Path]


@pytest.fixture
def film(tmp_path) -> Film:
    """Makes a video that is as bright as the number of the second, times four."""

    def make(
        length: float, name: str = "film.mp4", rate: int = 4, codec: str = "mpeg4", size=(64, 48), **options
    ) -> Path:
        path = tmp_path / name
        with av.open(path, "w", options=options) as container:
            stream: Any = container.add_stream(codec, rate=rate)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            for number in range(round(length * rate)):
                shade = np.full((*size[::-1], 3), 4 * (number // rate), np.uint8)
                frame = av.VideoFrame.from_ndarray(shade, "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


def shades(path: Path) -> list[tuple[int, int]]:
    """Each second and how bright it is."""
    return [(second, round(float(np.asarray(image).mean()) / 4)) for second, image in seconds(path)]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mpeg4"), ("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4")]
)
def test_each_second_is_seen_as_it_is(film, name, codec):
    assert shades(film(3.5, name, codec=codec)) == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_few_frames_are_seen_at_their_own_times(film):
    path = film(8, rate=1)
    assert [second for second, _ in shades(path)] == list(range(8))


def test_a_video_is_shown_small_and_in_order(film):
    shown = pictures_of(film(2.5, size=(1920, 1080)))
    assert [(one.second, one.clock) for one in shown] == [(0, "00:00"), (1, "00:01"), (2, "00:02")]
    assert {(one.kind, one.name) for one in shown} == {("image/jpeg", "film.mp4")}
    assert {Image.open(io.BytesIO(one.file)).size for one in shown} == {(1070, 602)}


def test_a_minute_is_seen_and_no_more(film):
    assert len(shades(film(60, rate=2))) == 60
    with pytest.raises(PictureError, match=r"film.mp4 is longer than 60 seconds: cut a shorter video first\."):
        shades(film(63, rate=2))


@pytest.mark.parametrize(("name", "bound"), [("LONGEST", 3), ("MOST_FRAMES", 30)])
def test_a_length_that_is_not_told_is_seen_on_the_way(film, monkeypatch, name, bound):
    path = film(8, "live.webm", codec="libvpx", live="1")
    container: Any
    with av.open(path, "r") as container:
        assert container.duration is None
    monkeypatch.setattr(video, name, bound)
    with pytest.raises(PictureError, match="is longer than"):
        shades(path)


def test_what_stands_for_long_is_seen_each_second(tmp_path):
    """As screens are recorded: a frame when something changes."""
    path, times = tmp_path / "screen.mkv", [0, 5.2, 10, 12.5]
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in times:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), round(10 * at), np.uint8), "rgb24")
            frame.pts, frame.time_base = round(10 * at), Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    seen = [(second, float(np.asarray(image).mean()) / 10) for second, image in seconds(path)]
    assert [second for second, _ in seen] == list(range(13))
    assert [at for _, at in seen] == pytest.approx([max(at for at in times if at <= s) for s in range(13)], abs=0.2)


def test_what_is_recorded_askew_is_turned(film, monkeypatch):
    monkeypatch.setattr(av.VideoFrame, "rotation", 90, raising=False)
    [(_, image), *_] = seconds(film(1))
    assert image.size == (48, 64)


def test_frames_that_grow_on_the_way_are_refused(film, tmp_path, monkeypatch):
    small, big = (film(2, f"{size[0]}.ts", size=size, codec="mpeg2video") for size in ((64, 48), (640, 480)))
    path = tmp_path / "growing.mp4"
    path.write_bytes(small.read_bytes() + big.read_bytes())
    monkeypatch.setattr(video, "MOST_PIXELS", 10_000)
    with pytest.raises(PictureError, match="is no video that can be read"):
        shades(path)


def test_what_is_no_video_is_told(tmp_path, film):
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    (tmp_path / "none.mp4").write_bytes(b"\0" * 4096)
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{film(1)}\n")
    cut = film(4, "cut.avi")
    cut.write_bytes(cut.read_bytes()[:600])
    odd = film(1, "odd.avi")
    odd.write_bytes(odd.read_bytes().replace(b"FMP4", b"ZZZZ"))
    for name in ("picture.png", "none.mp4", "list.mp4", "cut.avi", "odd.avi"):
        with pytest.raises(PictureError, match=f"{name} is no video that can be read"):
            shades(tmp_path / name)
    with pytest.raises(PictureError, match=r"gone.mp4 cannot be opened: No such file"):
        shades(tmp_path / "gone.mp4")


def test_a_title_in_letters_of_old_does_no_harm(film):
    path = film(1, "old.avi")
    source: Any
    container: Any
    with av.open(film(1, "other.avi"), "r") as source, av.open(path, "w") as container:
        container.metadata["title"] = "Stück"
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    path.write_bytes(path.read_bytes().replace("Stück".encode(), b"St\xfccke"))
    assert b"St\xfccke" in path.read_bytes()
    assert shades(path) == [(0, 0)]


def test_sound_alone_shows_nothing(tmp_path):
    path = tmp_path / "song.mkv"
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(PictureError, match="shows nothing: it has no video in it"):
        shades(path)


def test_frames_too_large_to_be_safe_are_refused(film, monkeypatch):
    monkeypatch.setattr(video, "MOST_PIXELS", 1000)
    with pytest.raises(PictureError, match=r"too large to be read safely \(64 x 48 pixels\)"):
        shades(film(1))


def test_without_pyav_it_is_said_what_to_do(film, monkeypatch):
    path = film(1)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PictureError, match="has to be installed by pip with av"):
        shades(path)


def test_a_server_is_shown_each_second_behind_its_time(film, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("It shows \n")
    with Peer(stream(delta(content="a dark room"), "[DONE]")) as peer:
        asked = ["fill", str(tmp_path / "a.txt"), "--at", "1:10", "--server", peer.url]
        assert main([*asked, "--picture", str(film(2)), "--instruction", "Describe this video"]) == 0
        told = json.loads(peer.asked[-1][1])
    assert capsys.readouterr().out == "a dark room\n"
    kinds = [one.get("text", one["type"]) for one in told["messages"][0]["content"][:-1]]
    assert kinds == ["00:00", "image_url", "00:01", "image_url"]


@pytest.mark.parametrize(("detail", "is_vllm", "told"), [(280, True, {"max_soft_tokens": 280}), (280, False, None)])
def test_how_closely_to_look_is_told_to_whom_understands(film, detail, is_vllm, told):
    options = Options(detail=detail)
    fill = Fill("", "", instruction="Describe", options=options, pictures=pictures_of(film(1)))
    assert _payload(fill, "model", 0, is_vllm).get("mm_processor_kwargs") == told
    assert "mm_processor_kwargs" not in _payload(replace(fill, options=Options()), "model", 0, True)
    assert "mm_processor_kwargs" not in _payload(replace(fill, pictures=(), selected="a"), "model", 0, True)


def test_a_model_without_eyes_says_so(backend, film):
    with pytest.raises(RequestError, match="sees no pictures"):
        answered(backend, Fill("", "", instruction="Describe", pictures=pictures_of(film(1))))


def test_a_video_dropped_on_the_window_is_asked_about(asking, film, run):
    window, _ = asking
    path = film(1)
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(path))])
    keys = Qt.KeyboardModifier(0)
    event = QDropEvent(QPoint(1, 1), Qt.DropAction.CopyAction, dropped, Qt.MouseButton.LeftButton, keys)

    async def story():
        window.dropEvent(event)

    run(story())
    assert window.ask_bar.pictures == [path]
    assert window.ask_bar.detail.isVisibleTo(window)
    assert window.ask_bar.options().detail is None
    window.ask_bar.detail.setCurrentIndex(1)
    assert window.ask_bar.options().detail == 70
    window.ask_bar.show_pictures([])
    assert window.ask_bar.options().detail is None
    assert not window.ask_bar.detail.isVisibleTo(window)
