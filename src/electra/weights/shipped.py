"""Models by a name of their own: those that come with this package, and those of the folders in ELECTRA_MODELS.

    PLACE/NAME/discriminator, PLACE/NAME/generator     a pretrained pair; or PLACE/NAME is one model folder

Unusual here: a folder of that name where one stands goes before, and nothing is ever written beside these.
"""

import os
from pathlib import Path

from electra.weights.folders import pair_in

OWN = Path(__file__).parents[1] / "models"
PLACES = "ELECTRA_MODELS"  # folders that are looked in first, joined as those of PATH


def places() -> list[Path]:
    """The folders that models are looked for in, by name."""
    return [*(Path(word) for word in os.environ.get(PLACES, "").split(os.pathsep) if word), OWN]


def shipped(name: str | Path) -> Path | None:
    """The folder of the model of this name, or of one network of it, as NAME/generator; None where there is none."""
    parts = Path(name).parts
    if not parts or ".." in parts or Path(name).is_absolute():
        return None
    return next((folder for place in places() if _is_model(folder := place / name)), None)


def or_shipped(path: Path) -> Path:
    """The path itself; where nothing stands there, the model of that name if there is one."""
    return path if path.exists() else shipped(path) or path


def names() -> list[str]:
    """Of all models there are."""
    return sorted(
        {folder.name for place in places() if place.is_dir() for folder in place.iterdir() if _is_model(folder)}
    )


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or bool(pair_in(folder))
