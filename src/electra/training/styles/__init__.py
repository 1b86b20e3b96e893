"""The style sheets of what training writes for people; each file says of what."""

from functools import cache
from importlib.resources import files


@cache
def style(*names: str) -> str:
    """The style sheets called so, one after the other."""
    return "".join((files("electra.training.styles") / f"{name}.css").read_text(encoding="utf-8") for name in names)
