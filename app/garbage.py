"""Garbage is collected in the GUI thread only.

Python collects on whichever thread happens to allocate; a Qt object that the engine's thread collected would be
destroyed outside its own thread, which Qt does not survive.
"""

import gc

from PySide6.QtCore import QObject, QTimerEvent

INTERVAL = 1000  # milliseconds


class Collector(QObject):
    """Takes the place of Python's automatic collection, at its thresholds, as long as it lives."""

    def __init__(self, parent: QObject):
        super().__init__(parent)
        gc.disable()
        self.startTimer(INTERVAL)

    def timerEvent(self, event: QTimerEvent) -> None:  # noqa: ARG002  (Qt's signature)
        counts, thresholds = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > thresholds[generation]:
                gc.collect(generation)
                break
