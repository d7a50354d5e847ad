"""Words and decimal numbers of a text, many at a time.

A number is `[+-]? (digits [. digits?] | . digits) ([eE] [+-]? digits)?`, at most 64 letters long:
no `nan`, no `inf`, no `1_000`. It becomes the very float32 that `numpy.float32(float(word))` is.

How: eight letters at a time are one 64-bit number, and arithmetic on that reads eight digits at
once. Up to fifteen digits are an exact double, and so is a power of ten up to 22: their quotient is
rounded once, as `float` does. Beyond that a number lies between two quotients; where both are the
same float32 it is settled. What is not settled by that is read by `float`.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.signedinteger]
Integers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
_Eights = npt.NDArray[np.uint64]

NO_INTEGER = -(2**31)
_BLOCK = 1 << 16  # words at a time: the temporaries of one block stay in the cache
_BLOCK_BYTES = 1 << 18
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_LONGEST_NUMBER = 64
_LF, _CR, _BLANK = 0x0A, 0x0D, 0x20
_BESIDE = b" " * 32  # on both sides, so that eight letters can be loaded from anywhere near a word
_EIGHT = 8  # letters in 64 bits
_EVERY = np.uint64(0x0101_0101_0101_0101)  # times a letter: eight of it
_ZEROS = _EVERY * np.uint64(ord("0"))
_ZEROS_IN_FRONT = _ZEROS << np.uint64(16)  # of what holds two letters
_HIGH_HALVES = _EVERY * np.uint64(0xF0)
_LOWER_CASE = _EVERY * np.uint64(0x20)
_FIRST = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)
_POWERS = np.array([float(f"1e{power}") for power in range(46)])  # the nearest doubles
_EXACT_POWERS = 23  # of them are powers of ten indeed
_DOUBT = 2.0**-50  # more than a quotient can be off by two roundings, as a part of it
_EXPONENT_LETTERS = 4  # as C and Java write it: e+01


@dataclass(frozen=True, slots=True)
class Words:
    """What stands between blanks and line ends, in order.

    Attributes:
        letters: The text with blanks around it.
        starts: Where in `letters` each word begins.
        ends: Where it ends.
    """

    letters: npt.NDArray[np.uint8]
    starts: Positions
    ends: Positions

    def __getitem__(self, which: slice | Flags | Positions) -> "Words":
        """Some of the words of the same text."""
        return Words(self.letters, self.starts[which], self.ends[which])

    def __len__(self) -> int:
        return len(self.starts)

    def are(self, word: bytes) -> Flags:
        """Which of them are this one of at most eight small letters, in whatever case."""
        eights = _eights(self.letters, self.starts) | _LOWER_CASE
        expected = np.uint64(int.from_bytes(word, "little"))
        found: Flags = eights & _FIRST[len(word)] == expected
        found &= self.ends - self.starts == len(word)
        return found

    def breaks(self) -> Flags:
        """Behind which words a line ends; always behind the last one."""
        behind = self.letters[self.ends]
        found: Flags = behind == _LF
        carriage_return = behind == _CR
        if carriage_return.any():
            found |= carriage_return & (self.letters[self.ends + 1] == _LF)
        found[-1:] = True
        wide = self.starts[1:] - self.ends[:-1] > 1
        if (wide & ~found[:-1]).any():  # blanks that may hide one
            line = np.cumsum(self.letters == _LF, dtype=np.int32)[self.starts]
            found[:-1] = line[1:] != line[:-1]
        return found

    def cut(self, letter: int) -> "Words":
        """Each word up to the first such letter, if that is among its first nine."""
        at = _find(_eights(self.letters, self.starts), letter)
        at += (at == _EIGHT) & (self.letters[self.starts + _EIGHT] != letter)
        ends = np.where(at > _EIGHT, self.ends, np.minimum(self.starts + at, self.ends))
        return Words(self.letters, self.starts, ends)


def split(*pieces: bytes | memoryview) -> Words:
    """The words of a text in one or more pieces, separated by what `bytes.split` separates by."""
    letters = np.frombuffer(b"".join((_BESIDE, *pieces, _BESIDE)), np.uint8)
    edges = [
        np.flatnonzero(changes).astype(np.int32) + np.int32(start + 1)
        for start in range(0, len(letters), _BLOCK_BYTES)
        for inside in [_inside(letters[start : start + _BLOCK_BYTES + 1])]
        for changes in [inside[1:] != inside[:-1]]
    ]
    every = np.concatenate(edges)
    return Words(letters, every[0::2], every[1::2])


def _inside(letters: npt.NDArray[np.uint8]) -> Flags:
    # Unsigned: what lies below TAB becomes large. TAB, LF, VT, FF and CR are the five from there.
    inside: Flags = (letters - np.uint8(ord("\t")) > ord("\r") - ord("\t")) & (letters != _BLANK)
    return inside


def read_decimals(words: Words) -> npt.NDArray[np.float32]:
    """The number that each word is; NaN, which no number is, where it is none."""
    values = np.empty(len(words), dtype=np.float32)
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        values[start : start + _BLOCK], settled = _settle(block)
        for at in np.flatnonzero(~settled).tolist():
            word = block.letters[block.starts[at] : block.ends[at]].tobytes()
            values[start + at] = np.nan
            if len(word) <= _LONGEST_NUMBER and _NUMBER.fullmatch(word):
                with np.errstate(over="ignore"):  # too large becomes infinite, and is refused later
                    values[start + at] = np.float64(float(word)).astype(np.float32)
    return values


def read_integers(words: Words) -> Integers:
    """The whole number that each word is; `NO_INTEGER` if it is none or has over eight digits."""
    values = np.empty(len(words), dtype=np.int32)
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        negative, starts = _signs(block)
        digits = (block.ends - starts).clip(0, _EIGHT)
        others = _FIRST[_EIGHT - digits]  # in front of the number, where zeros belong
        eights = (_eights(block.letters, block.ends - _EIGHT) & ~others) | (_ZEROS & others)
        found = _eight_digits(eights).astype(np.int32)
        np.negative(found, out=found, where=negative)
        found[~_are_digits(eights) | (digits == 0) | (block.ends - starts > _EIGHT)] = NO_INTEGER
        values[start : start + _BLOCK] = found
    return values


def _settle(words: Words) -> tuple[npt.NDArray[np.float32], Flags]:
    """The numbers in the usual letters, and which words were such."""
    letters = words.letters
    negative, starts = _signs(words)
    length, exponent, settled = _exponents(letters, starts, words.ends)
    first = _eights(letters, starts)
    point = np.minimum(_find(first, ord(".")), length)
    pointed = point < np.minimum(length, _EIGHT)
    settled &= (length > pointed) & (pointed | (length <= _EIGHT))

    # The point is taken out of the first eight letters: seven digits remain, and a place.
    before = _FIRST[point.clip(0, _EIGHT)]
    first = (first & before) | (first >> np.uint64(8) & ~before)
    first = _pad(first, np.minimum(length, _EIGHT) - pointed)
    second = _pad(_eights(letters, starts + _EIGHT), (length - _EIGHT).clip(0, _EIGHT))
    settled &= _are_digits(first) & _are_digits(second)
    digits = _eight_digits(first) * np.uint64(10**7) + _eight_digits(second)
    mantissa = digits.view(np.int64).astype(np.float64)

    scale = 15 - point - exponent
    settled &= (scale >= 0) & (scale < len(_POWERS))
    power = _POWERS.take(scale, mode="clip")
    quotients = mantissa / power
    values = quotients.astype(np.float32)
    long, inexact = length > 2 * _EIGHT, scale >= _EXACT_POWERS
    if long.any():
        third = _pad(_eights(letters, starts + 2 * _EIGHT), (length - 2 * _EIGHT).clip(0, _EIGHT))
        settled &= _are_digits(third) & (length <= 3 * _EIGHT)
    if long.any() or inexact.any():
        below = quotients * (1 - _DOUBT * inexact)
        above = (mantissa + long) / power * (1 + _DOUBT * inexact)
        settled &= below.astype(np.float32) == above.astype(np.float32)
    np.negative(values, out=values, where=negative)
    return values, settled


def _signs(words: Words) -> tuple[Flags, Positions]:
    """Which words begin with a minus, and where each begins behind its sign."""
    first = words.letters[words.starts]
    negative = first == ord("-")
    return negative, words.starts + (negative | (first == ord("+")))


def _exponents(
    letters: npt.NDArray[np.uint8], starts: Positions, ends: Positions
) -> tuple[Positions, Positions, Flags]:
    """How long each number is without its exponent, the exponent, and whether it is well-formed.

    An exponent in another form than `e+01` stays where it is, and is no digit.
    """
    length = ends - starts
    tail = _eights(letters, ends - _EIGHT) >> np.uint64(8 * (_EIGHT - _EXPONENT_LETTERS))
    marked = (tail & np.uint64(0xDF) == ord("E")) & (length > _EXPONENT_LETTERS)
    if not marked.any():
        return length, np.zeros(1, dtype=np.int64), ~marked
    sign, digits = tail >> np.uint64(8) & np.uint64(0xFF), tail >> np.uint64(16)
    negative = sign == ord("-")
    settled = ~marked | ((negative | (sign == ord("+"))) & _are_digits(digits | _ZEROS_IN_FRONT))
    tens, units = digits & np.uint64(0xF), digits >> np.uint64(8) & np.uint64(0xF)
    exponent = (np.uint64(10) * tens + units).view(np.int64) * marked
    np.negative(exponent, out=exponent, where=negative)
    return length - _EXPONENT_LETTERS * marked, exponent, settled


def _eights(letters: npt.NDArray[np.uint8], at: Positions) -> _Eights:
    """Eight letters from each place on, the first one in the lowest byte."""
    everywhere: _Eights = np.ndarray((len(letters) - 7,), "<u8", letters, strides=(1,))
    return everywhere[at]


def _find(eights: _Eights, letter: int) -> Positions:
    """Where in each the letter stands first; 8 if nowhere."""
    # A byte of zero is the only one whose high bit appears when one is taken from all of them.
    other = eights ^ (_EVERY * np.uint64(letter))
    high = (other - _EVERY) & ~other & (_EVERY << np.uint64(7))
    below = (high & (~high + np.uint64(1))) - np.uint64(1)
    return (np.bitwise_count(below) >> 3).astype(np.int64)


def _pad(eights: _Eights, count: Positions) -> _Eights:
    """The first letters of each, and zeros for the rest."""
    shown = _FIRST[count]
    return (eights & shown) | (_ZEROS & ~shown)


def _are_digits(eights: _Eights) -> Flags:
    carried = eights + _EVERY * np.uint64(6)  # above 9 runs over into the upper half
    found: Flags = ((eights & _HIGH_HALVES) == _ZEROS) & ((carried & _HIGH_HALVES) == _ZEROS)
    return found


def _eight_digits(eights: _Eights) -> _Eights:
    """The number that eight digits are: pairs, then fours, then all."""
    eights = eights & ~_HIGH_HALVES
    for times, shift, kept in (
        (10, 8, 0x00FF_00FF_00FF_00FF),
        (100, 16, 0x0000_FFFF_0000_FFFF),
        (10_000, 32, 0x0000_0000_FFFF_FFFF),
    ):
        eights = (eights * np.uint64(times) + (eights >> np.uint64(shift))) & np.uint64(kept)
    return eights
