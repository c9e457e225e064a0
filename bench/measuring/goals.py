"""What is aimed at, and whether it was reached."""

from dataclasses import dataclass
from statistics import median

HEADER = ("goal; a ratio is taken within a round, median (least–greatest)", "measured", "goal", "")


@dataclass
class Goal:
    """A ratio or figure, and its bound."""

    text: str
    aim: float
    at_least: bool
    unit: str = "x"

    def show(self, value):
        if self.unit == "%":
            return f"{value * 100:.0f} %"
        if self.unit == "x":
            return f"{value:.1f}x"
        return f"{value:.0f} {self.unit}"

    def verdict(self, values):
        """The row of the table: the median of what was measured decides."""
        middle = median(values)
        shown = self.show(middle)
        if min(values) != max(values):
            shown += f" ({self.show(min(values))}–{self.show(max(values))})"
        sign = "≥" if self.at_least else "≤"
        is_met = middle >= self.aim if self.at_least else middle <= self.aim
        return (self.text, shown, f"{sign} {self.show(self.aim)}", "met" if is_met else "missed")


def at_least(text, aim, unit="x"):
    return Goal(text, aim, at_least=True, unit=unit)


def at_most(text, aim, unit="x"):
    return Goal(text, aim, at_least=False, unit=unit)
