"""Pages whose text is known, drawn from a seed: what readers of pictures are measured with."""

import inspect
import random
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from palimpsest import resources

FONTS = Path(next(iter(resources.__path__))) / "fonts"
DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
LIBRARY = Path(textwrap.__file__).parent

PROSE = ["argparse", "asyncio.tasks", "codecs", "datetime", "decimal", "difflib", "fractions", "heapq", "statistics"]
PROSE += ["logging", "pickle", "random", "shutil", "string", "threading", "tempfile", "zipfile", "subprocess"]
CODE = [
    "textwrap.py",
    "heapq.py",
    "bisect.py",
    "shlex.py",
    "queue.py",
    "sched.py",
    "fnmatch.py",
    "cmd.py",
    "calendar.py",
]

LIGHT = ("#ffffff", "#1f2328", "#cf222e", "#0a3069", "#57606a")  # ground, ink, words of the language, strings, comments
DARK = ("#1e1e1e", "#d4d4d4", "#569cd6", "#ce9178", "#6a9955")
SOLARIZED = ("#fdf6e3", "#586e75", "#859900", "#2aa198", "#93a1a1")
THEMES = {"light": LIGHT, "dark": DARK, "solarized": SOLARIZED}
TOKEN = re.compile(
    r"(?P<comment>#.*)|(?P<string>'[^'\n]*'|\"[^\"\n]*\")|"
    r"(?P<word>\b(?:def|class|return|if|else|elif|for|in|while|import|from|not|and|or|is|None|True|False|raise|with|self)\b)"
)
INKS = {"word": 2, "string": 3, "comment": 4}


@dataclass(frozen=True)
class Printed:
    """A drawn page: its picture, and the text a perfect reader gives for it."""

    kind: str  # what it is measured as
    form: str  # prose, code or table
    picture: Image.Image
    text: str
    size: int = 16  # pixels of the type
    rows: list[list[str]] = field(default_factory=list)  # of a table


def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """One of the shipped faces, or of Debian's fonts-dejavu-core."""
    folder = DEJAVU if name.startswith("DejaVu") else FONTS
    return ImageFont.truetype(str(folder / f"{name}.ttf"), size)


MONO = ["JetBrainsMono-Regular", *(["DejaVuSansMono"] if DEJAVU.exists() else [])]
FACES = ["Vollkorn-Regular", *(["DejaVuSans", "DejaVuSerif"] if DEJAVU.exists() else [])]


def paragraphs() -> list[str]:
    """Sentences of the standard library's documentation, in plain letters."""
    found = []
    for name in PROSE:
        module = import_module(name)
        for thing in [module, *(value for key, value in sorted(vars(module).items()) if inspect.isclass(value))]:
            if not getattr(thing, "__module__", name).startswith(name.split(".")[0]):
                continue
            for part in (inspect.getdoc(thing) or "").split("\n\n"):
                flat = " ".join(part.split())
                if 120 < len(flat) < 700 and re.fullmatch(r"[A-Z][A-Za-z0-9 ,.;:()'-]+\.", flat) and "  " not in flat:
                    found.append(flat)
    return list(dict.fromkeys(found))


def stretch_of_code(rng: random.Random, lines: int, widest: int = 78) -> str:
    """Lines of a module of the standard library that begin with a definition."""
    text = (LIBRARY / rng.choice(CODE)).read_text("utf-8").expandtabs().split("\n")
    starts = [at for at, line in enumerate(text[:-lines]) if re.match(r"\s*(def|class) ", line)]
    start = rng.choice(starts)
    part = [line.rstrip()[:widest].rstrip() for line in text[start : start + lines]]
    return textwrap.dedent("\n".join(part)).strip("\n")


def wrapped(text: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The lines of a paragraph as wide as ``width`` pixels at most."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and face.getlength(longer) > width:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


def draw_prose(
    draw: ImageDraw.ImageDraw, texts: list[str], face: ImageFont.FreeTypeFont, at: tuple[int, int], width: int, ink: str
) -> int:
    """Draws paragraphs with a gap between them; returns where they end."""
    x, y = at
    leading = round(face.size * 1.4)
    for text in texts:
        for line in wrapped(text, face, width):
            draw.text((x, y), line, ink, face)
            y += leading
        y += leading * 2 // 3
    return y


def prose(rng: random.Random, size: int = 16, kind: str = "prose", colours: tuple[str, str] = ("#ffffff", "#222222")):
    """A page of paragraphs."""
    texts = rng.sample(paragraphs(), 3)
    face = font(rng.choice(FACES), size)
    width = size * 40
    picture = Image.new("RGB", (width + 80, size * 60), colours[0])
    end = draw_prose(ImageDraw.Draw(picture), texts, face, (40, 30), width, colours[1])
    return Printed(kind, "prose", picture.crop((0, 0, width + 80, end + 30)), "\n\n".join(texts), size)


def code(rng: random.Random, size: int = 16, theme: str = "light", kind: str = "", lines: int = 24) -> Printed:
    """A screenshot of an editor with coloured code."""
    ground, *inks = THEMES[theme]
    text = stretch_of_code(rng, lines)
    face = font(rng.choice(MONO), size)
    wide, leading = face.getlength("0"), round(size * 1.35)
    rows = text.split("\n")
    picture = Image.new("RGB", (round(wide * max(map(len, rows))) + 60, leading * len(rows) + 40), ground)
    draw = ImageDraw.Draw(picture)
    for number, row in enumerate(rows):
        shades = [inks[0]] * len(row)
        for found in TOKEN.finditer(row):
            shades[slice(*found.span())] = [inks[INKS[found.lastgroup or "word"] - 1]] * len(found[0])
        for at, (char, shade) in enumerate(zip(row, shades, strict=True)):
            draw.text((30 + at * wide, 20 + number * leading), char, shade, face)
    return Printed(kind or f"code {theme}", "code", picture, text, size)


def columns(rng: random.Random, size: int = 16) -> Printed:
    """Two columns of prose side by side."""
    texts = rng.sample(paragraphs(), 4)
    face = font(rng.choice(FACES), size)
    width = size * 24
    picture = Image.new("RGB", (2 * width + 80 + 2 * size, size * 90), "white")
    draw = ImageDraw.Draw(picture)
    ends = [
        draw_prose(draw, texts[:2], face, (40, 30), width, "#222222"),
        draw_prose(draw, texts[2:], face, (40 + width + 2 * size, 30), width, "#222222"),
    ]
    cut = picture.crop((0, 0, picture.width, max(ends) + 20))
    return Printed("columns", "prose", cut, "\n\n".join(texts), size)


WORDS = ["north", "harbour", "engine", "copper", "window", "garden", "letter", "basket", "winter", "market", "bridge"]
WORDS += ["silver", "paper", "river", "candle"]


def cells(rng: random.Random, across: int, down: int) -> list[list[str]]:
    """A head, then names with numbers of several kinds behind them."""
    makers: list[Callable[[], str]] = [
        lambda: f"{rng.randrange(1, 2000)}",
        lambda: f"{rng.uniform(0, 900):.2f}",
        lambda: f"{rng.randrange(1, 29):02}.{rng.randrange(1, 13):02}.20{rng.randrange(10, 27)}",
        lambda: f"{rng.choice(WORDS)} {rng.choice(WORDS)}",
        lambda: f"{rng.randrange(1, 100)} %",
    ]
    kinds = [rng.choice(makers) for _ in range(across - 1)]
    head = [word.capitalize() for word in rng.sample(WORDS, across)]
    body = [[f"{rng.choice(WORDS)} {rng.choice(WORDS)}".capitalize(), *(make() for make in kinds)] for _ in range(down)]
    return [head, *body]


def table(rng: random.Random, size: int = 16, ruled: bool = True) -> Printed:
    """A table of names and numbers, with lines between its cells or without."""
    rows = cells(rng, rng.randrange(3, 6), rng.randrange(5, 12))
    face = font(rng.choice(FACES), size)
    widths = [round(max(face.getlength(row[at]) for row in rows)) + 2 * size for at in range(len(rows[0]))]
    right = [rng.random() < 0.4 and at > 0 for at in range(len(widths))]
    leading = round(size * 1.9)
    picture = Image.new("RGB", (sum(widths) + 60, leading * len(rows) + 60), "white")
    draw = ImageDraw.Draw(picture)
    y = 30
    for row in rows:
        x = 30
        for at, cell in enumerate(row):
            shift = widths[at] - size - face.getlength(cell) if right[at] else size
            draw.text((x + shift, y + size * 0.3), cell, "#222222", face)
            if ruled:
                draw.rectangle((x, y, x + widths[at], y + leading), outline="#777777")
            x += widths[at]
        y += leading
    return Printed("table", "table", picture, "\n".join(" ".join(row) for row in rows), size, rows)


def receipt(rng: random.Random, size: int = 16) -> Printed:
    """A till receipt: a name, lines with prices at the right, a sum."""
    face = font(rng.choice(MONO), size)
    goods = [(f"{rng.choice(WORDS)} {rng.choice(WORDS)}".capitalize(), rng.randrange(99, 4000)) for _ in range(9)]
    rows = [(name, f"{price / 100:.2f}") for name, price in goods]
    total = ("TOTAL", f"{sum(price for _, price in goods) / 100:.2f}")
    width, leading = round(face.getlength("0") * 34), round(size * 1.4)
    picture = Image.new("RGB", (width + 60, leading * (len(rows) + 6) + 40), "white")
    draw = ImageDraw.Draw(picture)
    name = f"{rng.choice(WORDS)} stores".upper()
    draw.text((30 + (width - face.getlength(name)) / 2, 20), name, "#333333", face)
    y = 20 + 2 * leading
    for left, price in [*rows, total]:
        y += leading if left == "TOTAL" else 0
        draw.text((30, y), left, "#333333", face)
        draw.text((30 + width - face.getlength(price), y), price, "#333333", face)
        y += leading
    draw.text((30, y + leading), "Thank you for your visit", "#333333", face)
    lines = [name, *(f"{left} {price}" for left, price in [*rows, total]), "Thank you for your visit"]
    return Printed("receipt", "any", picture, "\n".join(lines), size)


def noisy(page: Printed, rng: random.Random, strength: float = 18) -> Printed:
    """The page with grain, as from a camera in a dim room."""
    grain = np.random.default_rng(rng.randrange(1 << 30)).normal(0, strength, (*page.picture.size[::-1], 3))
    pixels = np.clip(np.asarray(page.picture, float) + grain, 0, 255).astype("uint8")
    return Printed("noise", page.form, Image.fromarray(pixels), page.text, page.size, page.rows)


def skewed(page: Printed, rng: random.Random, degrees: float = 3) -> Printed:
    """The page as it comes from a scanner it lay in askew."""
    angle = rng.choice([-1, 1]) * rng.uniform(degrees / 3, degrees)
    ground = page.picture.getpixel((1, 1))
    turned = page.picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)
    return Printed("skew", page.form, turned, page.text, page.size, page.rows)


FAINT = [("#ffffff", "#d8d8d8"), ("#3a3a3a", "#4c4c4c"), ("#e8e0d0", "#cfc8b8")]


def all_pages(seed: int = 0, each: int = 4) -> list[Printed]:
    """``each`` pages of every kind, the same ones for the same seed."""
    rng = random.Random(seed)
    sizes = [14, 16, 20, 24]
    pages = []
    for number in range(each):
        size = sizes[number % len(sizes)]
        pages += [
            prose(rng, size),
            *(code(rng, size, theme) for theme in THEMES),
            columns(rng, size),
            table(rng, size, ruled=number % 2 == 0),
            receipt(rng, size),
            prose(rng, 12, "prose 12 px"),
            code(rng, 12, rng.choice(list(THEMES)), "code 12 px"),
            noisy(prose(rng, size) if number % 2 else code(rng, size), rng),
            skewed(prose(rng, size) if number % 2 else code(rng, size), rng),
            prose(rng, size, "low contrast", FAINT[number % len(FAINT)]),
        ]
    return pages


def screen(rng: random.Random) -> Printed:
    """A whole screen, 1920 x 1080, of an editor with 45 lines of code."""
    page = code(rng, 16, "dark", "screen", lines=45)
    whole = Image.new("RGB", (1920, 1080), DARK[0])
    whole.paste(page.picture, (240, 40))
    return Printed("screen", "code", whole, page.text, 16)
