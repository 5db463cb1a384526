"""Types of values from JSON, YAML and model configs."""

from typing import Any, TypeAlias

JSONValue: TypeAlias = Any
"""None, a bool, a number, a string, or lists and mappings of these. `Any`, because only the reader of a file knows what
it holds: a union would make every reader cast."""
JSONObject: TypeAlias = dict[str, JSONValue]
