"""How a server is started, for those who have a machine for one: commands to copy, and what to enter here then."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from palimpsest.app.icons import icon
from palimpsest.engine.language import tr

ABOUT = tr(
    "Run one of these on the other machine, with a key of your own for KEY. Then enter the address in Preferences ▸ "
    "Servers, with that machine's name for “workstation”, choose it in the menu where you found this, and give the key "
    "there."
)
COMMANDS = {  # as their documentation has them; by what they are for
    tr(
        "Palimpsest: fills as this machine does, draft by draft. Address: {address}", address="http://workstation:8765"
    ): ("PALIMPSEST_API_KEY=KEY palimpsest serve --host 0.0.0.0 --model google/diffusiongemma-26B-A4B-it"),
    tr("vLLM, 0.24 or later: for several machines. Address: {address}", address="http://workstation:8000"): (
        "vllm serve google/diffusiongemma-26B-A4B-it --max-model-len 65536 --api-key KEY"
    ),
    tr(
        "SGLang: for other models, since it does not serve DiffusionGemma yet. Address: {address}",
        address="http://workstation:30000",
    ): "python -m sglang.launch_server --model-path google/gemma-4-26B-A4B-it --host 0.0.0.0 --api-key KEY",
}
WIDTH = 780  # pixels


class ServerHelp(QDialog):
    """Shows the commands."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("How to start a server"))
        rows, grid = QVBoxLayout(self), QGridLayout()
        rows.addWidget(QLabel(ABOUT, wordWrap=True))
        rows.addLayout(grid)
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        for title, command in COMMANDS.items():
            field, copy = QLineEdit(command, readOnly=True), QPushButton(icon("copy"), "")
            field.setFont(fixed)
            field.setCursorPosition(0)
            field.setAccessibleName(title)
            copy.setToolTip(tr("Copy"))
            copy.setAccessibleName(tr("Copy"))
            copy.clicked.connect(lambda _checked, command=command: QGuiApplication.clipboard().setText(command))
            row = grid.rowCount()
            grid.addWidget(QLabel(title, wordWrap=True), row, 0, 1, 2)
            grid.addWidget(field, row + 1, 0)
            grid.addWidget(copy, row + 1, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        rows.addWidget(buttons)
        self.resize(WIDTH, self.heightForWidth(WIDTH))
