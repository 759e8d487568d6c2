"""The status bar: what the engine is and does."""

from PySide6.QtWidgets import QLabel, QStatusBar, QWidget

from palimpsest.engine import Done, Draft, Event, Failed, Loading, Reading, Ready, Stopped, Thought


class StatusBar(QStatusBar):
    """Messages on the left; the step, and the model with its device, on the right."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._step, self._model = QLabel(), QLabel("Loading the model…")
        self.addPermanentWidget(self._step)
        self.addPermanentWidget(self._model)

    def report(self, event: Event) -> None:
        """Say what an engine event means for the user."""
        match event:
            case Loading(done=done, total=total, left=left):
                self._model.setText(f"Loading the model… {done / total:.0%}, {left:.0f} s left")
            case Ready(model=model, device=device):
                self._model.setText(f"{model} on {device}")
            case Reading(done=done, total=total):
                self._step.setText(f"Read {done / total:.0%}")
                self.showMessage("Reading the text… Esc stops")
            case Thought():
                self.showMessage("Thinking… Esc stops")
            case Draft(step=step, max_steps=most):
                self._step.setText(f"Step {step} of {most}")
                self.showMessage("Drafting… Esc stops")
            case Done(steps=steps, tokens=tokens, seconds=seconds):
                self._step.setText(f"{steps} steps, {tokens / max(seconds, 1e-9):.0f} tokens/s")
                self.showMessage("Tab keeps the draft, Esc drops it")
            case Failed(message=message):
                self._step.clear()
                self.showMessage(message)
            case Stopped():
                self.ended()

    def failed_to_load(self, event: Failed) -> None:
        """Say that there is no model to ask."""
        self._model.setText("No model")
        self.showMessage(event.message)

    def ended(self) -> None:
        """Clear what was said of a fill."""
        self._step.clear()
        self.clearMessage()
