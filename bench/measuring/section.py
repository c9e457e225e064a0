"""What one part has to say."""

from dataclasses import dataclass, field


@dataclass
class Section:
    """One table, the goals it speaks about, remarks, and every figure for whoever wants to reckon. A part
    that failed has no table."""

    title: str
    header: tuple = ()
    rows: list = field(default_factory=list)
    verdicts: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    figures: object = None
