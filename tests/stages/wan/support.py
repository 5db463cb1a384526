"""Used by several of these tests."""

from cospeech.config import Params
from cospeech.families.base import Family
from cospeech.families.factory import pick_family


def family_of(params: Params) -> Family:
    assert params.wan is not None
    return pick_family(params.wan.model_dump(), params.teacher.precision, params.seed)


def changed(params: Params, section: str, **values: object) -> Params:
    return Params.model_validate({**params.model_dump(), section: {**params.model_dump()[section], **values}})
