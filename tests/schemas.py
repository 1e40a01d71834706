"""The schemas that docs/webhooks.md promises, for checking what is really sent."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "webhooks"
SCHEMAS: dict[str, Any] = {
    file.name.removesuffix(".schema.json"): json.loads(file.read_text(encoding="utf-8"))
    for file in FOLDER.glob("*.schema.json")
}


def faults(document: Any, name: str | None = None) -> list[str]:
    """What is wrong with a webhook's body by the schema of its type, or by that *name*."""
    type_: str = document["type"]
    name = name or (type_ if type_ in SCHEMAS else type_.partition(".")[0])
    validator = Draft202012Validator(SCHEMAS[name])
    return [f"{name}: {error.message}" for error in validator.iter_errors(document)]
