"""What people and programs see: data on stdout, talk on stderr."""

from syncd.console.output import Console
from syncd.console.page import Cell, Column, Page, Paragraph, Table

__all__ = ["Cell", "Column", "Console", "Page", "Paragraph", "Table"]
