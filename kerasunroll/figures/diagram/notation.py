"""Text with the field's notation in it: `"layer 1 gives $h_t^{(1)}$"`, set with sub- and superscripts, and measured."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.ft2font import FT2Font, LoadFlags

SCRIPT_SIZE: Final = 0.68
"""The size of sub- and superscripts, in that of the text."""

_SUB_DROP: Final = 0.20
_SUP_RISE: Final = 0.40
_ACCENT_RISE: Final = 0.72
_ACCENTS: Final = {"\\right": "→", "\\left": "←"}
_TOKEN: Final = re.compile(r"\\(?:right|left)|[_^]\{[^}]*\}|[_^].|.")
_MEASURED_AT: Final = 100


@dataclass(frozen=True)
class Run:
    """A piece of a text that is set in one style.

    Args:
        text: String.
        x: Float. Where it begins, from the beginning of the text.
        width: Float.
        rise: Float. How far its baseline lies above that of the text.
        size: Float. The font size.
        italic: Boolean.
    """

    text: str
    x: float
    width: float
    rise: float
    size: float
    italic: bool


@lru_cache(maxsize=4096)
def typeset(text: str, size: float, *, bold: bool = False) -> tuple[tuple[Run, ...], float]:
    r"""Set a text that may have notation between dollar signs.

    In notation, letters are italic, `_` and `^` begin a sub- or superscript, which stand above each other, and
    `\right` and `\left` put an arrow over the next letter; a hyphen is a minus sign.

    Args:
        text: String.
        size: Float. The font size.
        bold: Boolean, default `False`.

    Returns:
        The runs, and the width of all of them.

    Example:
    >>> runs, width = typeset("$h_t$", size=10)
    >>> [run.text for run in runs]
    ['h', 't']
    """
    runs: list[Run] = []
    x = 0.0
    for number, part in enumerate(text.split("$")):
        placed, x = _notation(part, x, size, bold=bold) if number % 2 else _plain(part, x, size, bold=bold)
        runs += placed
    return tuple(runs), x


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text that may have notation in it."""
    return typeset(text, size, bold=bold)[1]


def without_markup(text: str) -> str:
    """Return a text as one would read it out: for what has no pictures.

    Example:
    >>> without_markup("of $h_t^{(1)}$")
    'of h_t(1)'
    """
    return re.sub(r"\\(?:right|left)|[${}^]", "", text)


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Break a text into lines of at most a width; notation has no spaces in it and is not broken."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _plain(text: str, x: float, size: float, *, bold: bool) -> tuple[list[Run], float]:
    if not text:
        return [], x
    width = _advance(text, bold) * size
    return [Run(text, x, width, 0.0, size, italic=False)], x + width


def _notation(text: str, x: float, size: float, *, bold: bool) -> tuple[list[Run], float]:
    runs: list[Run] = []
    scripts = accent = ""
    base = end = x  # scripts begin where their letter ends, and the next letter where the longer script ends
    for token in _TOKEN.findall(text):
        if token in _ACCENTS:
            accent = _ACCENTS[token]
        elif token[0] in "_^":
            inner = token[1:].strip("{}")
            x, scripts = (base, token[0]) if scripts not in ("", token[0]) else (end, scripts + token[0])
            rise = size * (_SUP_RISE if token[0] == "^" else -_SUB_DROP)
            placed, stop = _letters(inner, base, rise, size * SCRIPT_SIZE, bold=bold)
            runs += placed
            end = max(end, stop)
        else:
            placed, base = _letters(token, end, 0.0, size, bold=bold)
            if accent:
                width = _advance(accent, bold) * size * SCRIPT_SIZE
                middle = (end + base - width) / 2
                runs.append(Run(accent, middle, width, _ACCENT_RISE * size, size * SCRIPT_SIZE, italic=False))
            runs += placed
            end, scripts, accent = base, "", ""
    return runs, end


def _letters(text: str, x: float, rise: float, size: float, *, bold: bool) -> tuple[list[Run], float]:
    """Set letters in italics, and what is between them upright."""
    runs = []
    for piece in re.findall(r"[^\W\d_]+|[\W\d_]+", text.replace("-", "\N{MINUS SIGN}")):
        width = _advance(piece, bold) * size
        runs.append(Run(piece, x, width, rise, size, italic=piece[0].isalpha()))
        x += width
    return runs, x


def _advance(text: str, bold: bool) -> float:
    return sum(_glyph_advance(letter, bold) for letter in text)


@cache
def _glyph_advance(letter: str, bold: bool) -> float:
    """Return the width of a letter of DejaVu Sans, the widest of the fonts that are asked for, in its size."""
    glyph = _font(bold).load_char(ord(letter), flags=LoadFlags.NO_HINTING)
    return float(glyph.linearHoriAdvance) / 65536 / _MEASURED_AT


@cache
def _font(bold: bool) -> FT2Font:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    font = FT2Font(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name))
    font.set_size(_MEASURED_AT, 72)
    return font
