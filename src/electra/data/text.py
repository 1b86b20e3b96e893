"""Bytes to clean lines: encodings by their mark, invalid bytes by policy, all line ends, lines of any length.

Memory is bounded whatever the file holds: a line longer than MAX_LINE characters is handed on in parts, cut at
whitespace.
"""

import codecs
import re
import threading
from collections.abc import Callable, Iterable, Iterator

from electra.data.report import OFFSETS_KEPT, FileReport
from electra.errors import CorpusError

MAX_LINE = 100_000  # characters of a line of text; far beyond any sentence, small enough for any tokenizer

# A decoder cannot produce this lone surrogate from any bytes, so it marks what was invalid until the policy is applied.
INVALID = "\udc80"
REPLACEMENT = "\ufffd"

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_DECODERS: dict[str, Callable[[bytes, str, bool], tuple[str, int]]] = {
    "utf-8": codecs.utf_8_decode,
    "utf-16-le": codecs.utf_16_le_decode,
    "utf-16-be": codecs.utf_16_be_decode,
    "utf-32-le": codecs.utf_32_le_decode,
    "utf-32-be": codecs.utf_32_be_decode,
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_found = threading.local()


def _note_invalid(error: UnicodeError) -> tuple[str, int]:
    """The codec error handler: notes where and how many bytes, and goes on. One pass even over a file of rubbish."""
    assert isinstance(error, UnicodeDecodeError)
    _found.spans.append((error.start, error.end - error.start))
    return INVALID, error.end


codecs.register_error("electra-note", _note_invalid)


def decode(blocks: Iterable[bytes], report: FileReport, *, errors: str = "replace") -> Iterator[str]:
    """Text of the blocks; invalid bytes become INVALID marks and are noted in the report.

    The encoding is UTF-8 unless a byte order mark at the beginning of the file says otherwise. errors "error" raises
    CorpusError at the first one.
    """
    rest, start = (
        b"",
        -1,
    )  # bytes not yet decoded, and the offset of the first of them (-1 until the mark was looked for)
    for block in blocks:
        data = rest + block
        if start < 0:
            if len(data) < 4 and not report.begin:
                rest = data
                continue
            data, start = _without_mark(data, report)
        text, used = _decode_block(data, start, report, errors, final=False)
        rest, start = data[used:], start + used
        if text:
            yield text
    if rest and start < 0:
        rest, start = _without_mark(rest, report)
    if rest and not report.damage:  # a character cut in two by the damage is not an invalid one
        yield _decode_block(rest, start, report, errors, final=True)[0]


def _without_mark(data: bytes, report: FileReport) -> tuple[bytes, int]:
    """The data without a byte order mark, and where in the file it begins."""
    if report.begin:
        return data, report.begin
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            report.encoding, report.byte_order_mark = encoding, True
            return data[len(mark) :], len(mark)
    return data, 0


def _decode_block(data: bytes, start: int, report: FileReport, errors: str, *, final: bool) -> tuple[str, int]:
    _found.spans = []
    text, used = _DECODERS[report.encoding](data, "electra-note", final)
    for offset, length in _found.spans:
        report.invalid_bytes += length
        if len(report.first_invalid_offsets) < OFFSETS_KEPT:
            report.first_invalid_offsets.append(start + offset)
        if errors == "error":
            raise CorpusError(
                f"{report.path} is not valid {report.encoding} at byte {start + offset}; "
                'convert the file, or let errors be "replace" or "skip"'
            )
    return text, used


def clean(text: str, report: FileReport) -> str:
    """Text without NUL, its line ends all \\n: \\r\\n, \\r and the Unicode line and paragraph separators."""
    if "\0" in text:
        report.nul_characters += text.count("\0")
        text = text.replace("\0", "")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    return text


def without_surrogates(text: str, report: FileReport) -> str:
    """Text that can be encoded: lone surrogates (JSON can spell them) become U+FFFD."""
    text, count = _SURROGATE.subn(REPLACEMENT, text)
    report.lone_surrogates += count
    return text


def settle_invalid(line: str, report: FileReport, errors: str) -> str | None:
    """A line after the policy: marks become U+FFFD ("replace"), or the line is left out ("skip": None)."""
    if not report.invalid_bytes or INVALID not in line:
        return line
    if errors == "skip":
        report.skipped_lines += 1
        return None
    return line.replace(INVALID, REPLACEMENT)


def split_lines(texts: Iterable[str], report: FileReport) -> Iterator[list[str]]:
    """The lines of a text that arrives in blocks, a list per block, without their ends, cleaned; over-long ones in parts.

    Of a file cut short by damage the last, incomplete line is left out.
    """
    rest, held_return = "", False
    for block in texts:
        # \r at the end of a block may be the first half of \r\n.
        block = "\r" + block if held_return else block
        held_return = block.endswith("\r")
        *lines, rest = (rest + clean(block[:-1] if held_return else block, report)).split("\n")
        yield short_lines(lines, report)
        if len(rest) > MAX_LINE:
            *parts, rest = short_lines([rest], report)
            yield parts
    if rest and not report.damage:
        yield short_lines([rest], report)


def short_lines(lines: list[str], report: FileReport) -> list[str]:
    """The lines, those of more than MAX_LINE characters in parts, cut at whitespace where there is some."""
    if max(map(len, lines), default=0) <= MAX_LINE:
        return lines
    return [part for line in lines for part in _parts(line, report)]


def _parts(line: str, report: FileReport) -> Iterator[str]:
    start = 0
    while len(line) - start > MAX_LINE:
        space = _last_space(line, start + MAX_LINE // 2, start + MAX_LINE)
        end = space if space > 0 else start + MAX_LINE
        report.split_lines += 1
        yield line[start:end]
        start = end
    yield line[start:] if start else line


def _last_space(line: str, start: int, end: int) -> int:
    return max(line.rfind(" ", start, end), line.rfind("\t", start, end))
