"""The text on paper: printed, or as a PDF file."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound
from PySide6.QtCore import QEventLoop, QUrl
from PySide6.QtGui import QFont, QPageSize, QPdfWriter, QTextDocument
from PySide6.QtPrintSupport import QPrintDialog, QPrinter
from PySide6.QtWidgets import QDialog, QWidget

from palimpsest.app.preview import render

SIZE = 10  # points
MARKDOWN = {".md", ".markdown"}


@dataclass(frozen=True)
class Sheet:
    """What is put on paper: Markdown as it is meant, everything else as it stands, in the colours of its language."""

    path: Path  # where pictures are looked for, and of which kind the text is
    text: str
    font: QFont

    def document(self) -> QTextDocument:
        """Laid out by Qt; this takes its time where there is much."""
        document = QTextDocument()
        font = QFont(self.font)
        font.setPointSize(SIZE)
        document.setDefaultFont(font)
        document.setBaseUrl(QUrl.fromLocalFile(str(self.path)))
        if self.path.suffix.lower() in MARKDOWN:
            document.setHtml(render(self.text))
        else:
            style = f"font-family: '{font.family()}'; white-space: pre-wrap"
            formatter = HtmlFormatter(noclasses=True, style="default", nobackground=True, prestyles=style)
            document.setHtml(highlight(self.text, self._lexer(), formatter))
        document.setMetaInformation(QTextDocument.MetaInformation.DocumentTitle, self.path.name)
        return document

    def _lexer(self):
        try:
            return get_lexer_for_filename(self.path.name, stripnl=False)
        except ClassNotFound:
            return TextLexer(stripnl=False)


async def write_pdf(sheet: Sheet, path: Path) -> None:
    """Write the sheet as a PDF file; what is there stays until it is whole. Raises OSError."""
    await asyncio.to_thread(_write_pdf, sheet, path)


def _write_pdf(sheet: Sheet, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(b"")  # Qt only says that it failed, the system says why
    QEventLoop()  # gives this thread the timers that Qt lays out with
    writer = QPdfWriter(str(part))
    writer.setTitle(sheet.path.name)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    sheet.document().print_(writer)
    del writer  # ends the file
    part.replace(path)


def ask_print(sheet: Sheet, parent: QWidget) -> None:
    """Let the user choose a printer and print."""
    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setDocName(sheet.path.name)
    if QPrintDialog(printer, parent).exec() == QDialog.DialogCode.Accepted:
        sheet.document().print_(printer)
