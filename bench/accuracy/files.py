"""Annotation files."""

import json
from pathlib import Path
from typing import Any

from bench import InputError


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: it is missing, or not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"no annotation file {path}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
