"""Choose the family of networks that the parameters name."""

from collections.abc import Mapping

from cospeech.families.base import Family
from cospeech.families.embedded import Embedded
from cospeech.families.wan.config import WanSettings
from cospeech.utils.extras import require_extra
from cospeech.utils.json_types import JSONValue
from cospeech.utils.precision import Precision


def pick_family(wan: Mapping[str, JSONValue] | None, precision: Precision = "fp32", seed: int = 0) -> Family:
    """wan: section `wan` of the parameters. precision, seed: of what is trained or draws."""
    if wan is None:
        return Embedded()
    require_extra("wan", "the section wan of the parameters", "peft", "transformers")
    from cospeech.families.wan.family import WanFamily

    return WanFamily(WanSettings(**wan), precision, seed)
