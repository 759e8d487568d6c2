"""Draws the program's icon to the file that is named: ``.ico`` for Windows, ``.png`` for others."""

import sys
from pathlib import Path

from PySide6.QtGui import QGuiApplication, QIcon

DRAWN = Path(__file__).resolve().parents[1] / "resources" / "icons" / "palimpsest.svg"

if __name__ == "__main__":
    app = QGuiApplication(["icon", "-platform", "offscreen"])
    if not QIcon(str(DRAWN)).pixmap(256).save(sys.argv[1]):
        sys.exit(f"{sys.argv[1]} cannot be written.")
