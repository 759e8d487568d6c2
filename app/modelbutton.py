"""The model in sight: what it is and where it runs; a click tells the rest."""

from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from palimpsest.app.actions import Choices
from palimpsest.app.icons import icon
from palimpsest.engine import Done, Ready, in_words
from palimpsest.engine.language import tr

GIGABYTE, MEGABYTE = 1 << 30, 1 << 20


class ModelButton(QToolButton):
    """Shows a line about the model, and in its menu the memory taken, what waits and the last fill."""

    unload_wanted = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._ready: Ready | None = None
        self._last: Done | None = None
        self.busy = False
        self.choices: Callable[[], Choices] = tuple  # of models
        self.setText(tr("Loading the model…"))
        self.setIcon(icon("model"))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        self.setAccessibleName(tr("Model"))
        self.setToolTip(tr("Model"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        self.setMenu(menu)

    def ready(self, ready: Ready) -> None:
        """The model is loaded."""
        self._ready = ready
        self.setText(tr("{model} on {device}", model=ready.model, device=ready.device))

    def unloaded(self, text: str = tr("The model is not loaded; a fill loads it")) -> None:
        """There is no model in the memory."""
        self._ready = None
        self.setText(text)

    def ended(self, done: Done) -> None:
        """A fill was finished."""
        self._last = done

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        for line in self.told():
            menu.addAction(line).setEnabled(False)
        menu.addSeparator()
        for name, do in self.choices():
            menu.addAction(name.replace("&", "&&"), do)
        menu.addSeparator()
        menu.addAction(tr("&Give the memory back until the next fill"), self.unload_wanted.emit)

    def told(self) -> list[str]:
        """What there is to tell, line by line."""
        memory = _memory() / GIGABYTE
        told = [self.text()]
        if self._ready and self._ready.memory:
            told.append(
                tr(
                    "Its weights take {memory:,.0f} MB on {device}",
                    memory=self._ready.memory / MEGABYTE,
                    device=self._ready.device,
                )
            )
        if self._ready and self._ready.ways:
            told.append(f"{self._ready.device} {in_words(self._ready.ways)}")
        told.append(tr("Palimpsest takes {memory:.1f} GB of the machine's memory", memory=memory))
        told.append(tr("A fill runs") if self.busy else tr("Nothing runs or waits"))
        if self._last:
            done = self._last
            pace = done.tokens / max(done.seconds, 1e-9)
            told.append(
                tr(
                    "Last fill: {steps} steps, {seconds:.1f} s, {pace:.0f} tokens/s, seed {seed}",
                    steps=done.steps,
                    seconds=done.seconds,
                    pace=pace,
                    seed=done.seed,
                )
            )
        return told


def _memory() -> int:
    """The bytes of memory that this process takes, with those it started."""
    import psutil  # a window begins without it

    here, taken = psutil.Process(), 0
    for process in (here, *here.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            taken += process.memory_info().rss
    return taken
