"""What was found in one file of text: counts and places of everything odd, and which of it is a problem."""

from dataclasses import asdict, dataclass, field
from typing import Any

OFFSETS_KEPT = 5  # first offsets of invalid bytes named in a report
BAD_RECORDS_KEPT = 5


@dataclass
class FileReport:
    """What was found in one file, or in a part of it that begins at byte `begin`.

    Offsets are bytes of the decompressed file, `damage` speaks of the file on disk. line_ends: lines of .jsonl and rows
    of .parquet before the end of the part. bad_records: (line, column, reason) of the first few records that were left
    out, lines counted from the beginning of the part.
    """

    path: str
    size: int
    begin: int = 0
    encoding: str = "utf-8"
    byte_order_mark: bool = False
    line_ends: int = 0
    lines: int = 0
    documents: int = 0
    damage: str = ""
    invalid_bytes: int = 0
    first_invalid_offsets: list[int] = field(default_factory=list)
    skipped_lines: int = 0
    nul_characters: int = 0
    lone_surrogates: int = 0
    split_lines: int = 0
    bad_record_count: int = 0
    bad_records: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, later: "FileReport") -> None:
        """Take in what was found in the next part of the same file."""
        moved = [(line + self.line_ends, column, reason) for line, column, reason in later.bad_records]
        self.bad_records = [*self.bad_records, *moved][:BAD_RECORDS_KEPT]
        self.first_invalid_offsets = [*self.first_invalid_offsets, *later.first_invalid_offsets][:OFFSETS_KEPT]
        self.damage = self.damage or later.damage
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(later, name))

    def problems(self) -> dict[str, Any]:
        """The fields that tell of a problem, with the path; empty if there is none."""
        found = {key: value for key, value in asdict(self).items() if value and key in _PROBLEM_FIELDS}
        if self.bad_records:
            found["bad_records"] = [self.place(*record) for record in self.bad_records]
        if not self.lines:
            found["empty"] = True
        return {"path": self.path} | found if found else {}

    def place(self, line: int, column: int, reason: str) -> str:
        """ "file:line:column: reason"."""
        return f"{self.path}:{line}:{column}: {reason}"


_COUNTS = (
    "line_ends", "lines", "documents", "invalid_bytes", "skipped_lines", "nul_characters", "lone_surrogates",
    "split_lines", "bad_record_count",
)  # fmt: skip
_PROBLEM_FIELDS = (
    "damage", "invalid_bytes", "first_invalid_offsets", "skipped_lines", "nul_characters", "lone_surrogates",
    "split_lines", "bad_record_count", "bad_records",
)  # fmt: skip
