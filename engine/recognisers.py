"""The networks that read writing: the one that comes with the installation, and others that the user puts beside it."""

from collections import Counter
from pathlib import Path

import platformdirs

from palimpsest.engine.errors import PictureError
from palimpsest.engine.language import tr

OWN = ""  # the name of the one that comes with the installation
TITLES = {  # by the beginnings of the names that PaddleOCR gives its networks
    "arabic": tr("Arabic"),
    "ch": tr("Chinese"),
    "cyrillic": tr("Cyrillic"),
    "devanagari": tr("Devanagari"),
    "el": tr("Greek"),
    "en": tr("English"),
    "eslav": tr("Russian, Ukrainian, Belarusian"),
    "japan": tr("Japanese"),
    "korean": tr("Korean"),
    "latin": tr("Latin"),
    "ta": tr("Tamil"),
    "te": tr("Telugu"),
    "th": tr("Thai"),
}


def place() -> Path:
    """Where others are looked for: networks of PaddleOCR that recognise text, as ONNX files with their characters."""
    return platformdirs.user_data_path("palimpsest") / "ocr"


def languages() -> dict[str, str]:
    """The names of those that are here, and how the user reads what they read."""
    names = sorted(path.stem for path in place().glob("*.onnx"))
    titles = {name: TITLES.get(name.split("_")[0], name) for name in names}
    alike = Counter(titles.values())
    told = {name: f"{title} ({name})" if alike[title] > 1 else title for name, title in titles.items()}
    return {OWN: tr("Latin, Chinese, Japanese")} | told


def network(name: str) -> Path | None:
    """The file of one; none for OWN. Raises PictureError where it is not here."""
    if name == OWN:
        return None
    file = place() / f"{name}.onnx"
    if name not in languages():
        raise PictureError(tr("There is no {file} to read writing with: put it there, or choose another.", file=file))
    return file
