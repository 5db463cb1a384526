"""The type of values from JSON, YAML and configs of models."""

from typing import Any, TypeAlias

JSONValue: TypeAlias = Any
"""None, a truth value, a number, a text, or lists and mappings of these. `Any`, for what a file says is known to who
reads it alone: a union would have every reader cast."""
JSONObject: TypeAlias = dict[str, JSONValue]
