"""The status bar: what the engine is and does."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QStatusBar, QToolButton, QWidget

from palimpsest.app.announce import announce
from palimpsest.app.encoding import Text, label
from palimpsest.app.modelbutton import ModelButton
from palimpsest.app.words import WordCount
from palimpsest.engine import (
    Done,
    Draft,
    Event,
    Failed,
    Loading,
    Progress,
    Reading,
    Ready,
    Stopped,
    Thought,
    Unloaded,
    Waiting,
)
from palimpsest.engine.language import tr


class StatusBar(QStatusBar):
    """Messages on the left; the step, how the file is written, and the model with its device, on the right."""

    encoding_wanted = Signal()  # the user wants another one
    line_ends_wanted = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._step, self.model = QLabel(), ModelButton()
        self.unload_wanted = self.model.unload_wanted
        self._encoding, self._line_ends = QToolButton(), QToolButton()
        for button, name, wanted in (
            (self._encoding, tr("Encoding"), self.encoding_wanted),
            (self._line_ends, tr("Line ends"), self.line_ends_wanted),
        ):
            button.setAutoRaise(True)
            button.setAccessibleName(name)
            button.setToolTip(name)
            button.clicked.connect(wanted)
        self.words = WordCount()
        for widget in (self._step, self.words, self._line_ends, self._encoding, self.model):
            self.addPermanentWidget(widget)
        self.messageChanged.connect(lambda message: announce(self, message))

    def tell_file(self, file: Text) -> None:
        """Say how the file in front is written."""
        self._encoding.setText(label(file.encoding) + (tr(" with BOM") if file.bom else ""))
        self._line_ends.setText({"\n": "LF", "\r\n": "CRLF", "\r": "CR"}[file.newline])

    def report(self, event: Event) -> None:
        """Say what an engine event means for the user."""
        self.model.busy = isinstance(event, Progress)
        match event:
            case Loading(done=done, total=total, left=left):
                self.model.setText(tr("Loading the model… {done:.0%}, {left:.0f} s left", done=done / total, left=left))
            case Ready():
                self.model.ready(event)
            case Unloaded():
                self.model.unloaded()
            case Waiting():
                self.showMessage(tr("Waiting for the model… Esc stops"))
            case Reading(done=done, total=total):
                self._step.setText(tr("Read {done:.0%}", done=done / total))
                self.showMessage(tr("Reading the text… Esc stops"))
            case Thought():
                self.showMessage(tr("Thinking… Esc stops"))
            case Draft(step=step, max_steps=most):
                self._step.setText(tr("Step {step} of {most}", step=step, most=most))
                self.showMessage(tr("Drafting… Esc stops"))
            case Done(steps=0):
                self._step.clear()
                self.showMessage(tr("Tab keeps the draft, Esc drops it"))
            case Done(steps=steps, tokens=tokens, seconds=seconds):
                self._step.setText(
                    tr("{steps} steps, {tokens:.0f} tokens/s", steps=steps, tokens=tokens / max(seconds, 1e-9))
                )
                self.showMessage(tr("Tab keeps the draft, Esc drops it"))
                self.model.ended(event)
            case Failed(message=message):
                self._step.clear()
                self.showMessage(message)
            case Stopped():
                self.ended()

    def tell_answer(self, number: int, count: int) -> None:
        """Say which of several answers is shown."""
        self.showMessage(
            tr(
                "Answer {number} of {count}; Tab keeps it, Alt+] and Alt+[ show others, Esc drops it",
                number=number,
                count=count,
            )
        )

    def failed_to_load(self, event: Failed) -> None:
        """Say that there is no model to ask."""
        self.model.unloaded(tr("No model"))
        self.showMessage(event.message)

    def ended(self) -> None:
        """Clear what was said of a fill."""
        self._step.clear()
        self.clearMessage()
