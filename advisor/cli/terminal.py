"""Draw on terminals of any width, with or without colors, in any encoding."""

import os
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advisor.cli.streams import printable
from advisor.messages import PLACES, Messages

# What goes into a file or a pipe is this wide, whatever terminal the command was typed in.
PIPE_WIDTH = 100

# A bar has so many cells up to the limit and so many beyond it: the limit stands at one place for every metric.
WITHIN, BEYOND = 10, 5
EIGHTHS = "▏▎▍▌▋▊▉█"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave a closed pipe to the command group, which knows the exit code."""
        raise BrokenPipeError


def console() -> Console:
    """Make a console on standard output. COLUMNS, NO_COLOR and TERM=dumb are heeded."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return _Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def plain(to: Console) -> bool:
    """Say whether only ASCII can be drawn."""
    return to.options.ascii_only


def text(value: object, style: str = "") -> Text:
    """Make text that wraps at blanks, and breaks words only where nothing else helps."""
    return Text(printable(str(value)), style=style, overflow="fold")


def heading(to: Console, title: str) -> None:
    """Print the title of a section."""
    to.print()
    to.print(text(title, "bold"))


def scope(answer: Mapping[str, Any], messages: Messages) -> str:
    """Name the marketplace, by its code as well, and the day that an answer is for."""
    place = answer["marketplace"]
    return f"{messages.text(PLACES[place])} ({place}), {answer['as_of']}"


def item(to: Console, sign: str, entry: str) -> None:
    """Print an entry of a list, its later lines indented."""
    lines = text(entry).wrap(to, max(20, to.width - len(sign) - 3))
    for number, line in enumerate(lines):
        line.rstrip()
        to.print(Text(f"  {sign} " if number == 0 else " " * (len(sign) + 3)) + line)


def bullet(to: Console, entry: str) -> None:
    """Print an entry of a list without numbers."""
    item(to, "*" if plain(to) else "•", entry)


def citations(to: Console, sources: Sequence[Mapping[str, Any]]) -> None:
    """Print numbered sources, each address unbroken on a line of its own."""
    heading(to, "Sources")
    for number, one in enumerate(sources, start=1):
        sign = f"[{number}]"
        item(to, sign, f"{one['title']}. {one['publisher']}, read on {one['read_on']}.")
        if one["url"]:
            to.print(text(" " * (len(sign) + 3) + one["url"]), soft_wrap=True)


def cite(cited: Sequence[Mapping[str, Any]], sources: list[Mapping[str, Any]]) -> str:
    """Write the numbers of sources, such as [1,3]; sources not cited before are added to the list."""
    sources += [one for one in cited if one not in sources]
    return f"[{','.join(str(number) for number in sorted(sources.index(one) + 1 for one in cited))}]"


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Make a table without lines."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for name in columns:
        made.add_column(name, overflow="fold", justify="right" if name in right else "left")
    return made


def print_table(to: Console, made: Table) -> None:
    """Print a table without the blanks at the ends of its lines."""
    with to.capture() as captured:
        to.print(made)
    to.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def limit(to: Console) -> str:
    """Name the character that marks the limit in a bar."""
    return "|" if plain(to) else "┃"


def bar(to: Console, low: Fraction, high: Fraction, met: bool) -> Text:
    """Draw how much of an allowance is used: from the left up to `low`, and lighter up to `high`; 1 is the limit.

    What is below the limit never seems to touch it, and what is beyond it always shows.
    """
    ascii_only = plain(to)
    first, last = _cells(low), _cells(high)
    drawn = Text(no_wrap=True)
    for cell in range(WITHIN + BEYOND):
        if cell == WITHIN:
            drawn.append(limit(to), "bold")
        style = "red" if cell >= WITHIN else "green" if met else "yellow"
        filled = min(8, max(0, first - 8 * cell))
        if cell == WITHIN + BEYOND - 1 and high > Fraction(WITHIN + BEYOND, WITHIN):
            drawn.append(">" if ascii_only else "▶", style)
        elif filled and (ascii_only or filled == 8):
            drawn.append("#" if ascii_only else "█", style)
        elif filled:
            drawn.append(EIGHTHS[filled - 1], style)
        elif last > 8 * cell:
            drawn.append("=" if ascii_only else "▒", style)
        elif cell < WITHIN:
            drawn.append("." if ascii_only else "░", "dim")
        else:
            drawn.append(" ")
    return drawn


def _cells(used: Fraction) -> int:
    """Count the eighths of cells that a use of the allowance fills."""
    whole = 8 * WITHIN
    eighths = round(used * whole)
    if used > 1:
        eighths = max(eighths, whole + 1)
    elif used < 1:
        eighths = min(eighths, whole - 1)
    return max(eighths, 1) if used > 0 else 0
