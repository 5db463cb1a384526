"""Cutting MediaPipe's own pose model. That its results stay the same: test_mediapipe, against the plain library."""

import struct
from pathlib import Path

import mediapipe
import pytest

from cospeech.pose.tflite import _OPERATOR_INPUTS, _OPERATOR_OUTPUTS, _target, _tensors, _vector, without_output

MODULES = Path(mediapipe.__file__).parent / "modules"


@pytest.fixture(scope="module")
def pose_model() -> bytes:
    return (MODULES / "pose_landmark/pose_landmark_full.tflite").read_bytes()


def operators(model: bytes) -> list[tuple[set[int], set[int]]]:
    """(inputs, outputs) of each operator, in order."""
    data = bytearray(model)
    graph = _target(data, _vector(data, _target(data, 0), 2)[0])
    places = [_target(data, place) for place in _vector(data, graph, 3)]
    return [(_tensors(data, each, _OPERATOR_INPUTS), _tensors(data, each, _OPERATOR_OUTPUTS)) for each in places]


def outputs(model: bytes) -> list[int]:
    data = bytearray(model)
    graph = _target(data, _vector(data, _target(data, 0), 2)[0])
    return [struct.unpack_from("<i", data, place)[0] for place in _vector(data, graph, 2)]


def test_only_what_leads_to_the_unread_output_goes(pose_model: bytes) -> None:
    cut = without_output(pose_model, unread=2, stand_in=1)
    before, after = operators(pose_model), operators(cut)
    assert (len(before), len(after)) == (332, 286)
    assert [each for each in before if each in after] == after  # in their order
    made = set().union(*(made for _, made in after))
    assert outputs(cut) == [outputs(pose_model)[number] for number in (0, 1, 1, 3, 4)]
    assert set(outputs(cut)) <= made
    everything = set().union(*(made for _, made in before))
    for needed, _ in after:
        assert needed & everything <= made
    read = set(outputs(cut)).union(*(needed for needed, _ in after))
    assert all(made & read for _, made in after)
    assert len(cut) == len(pose_model)


def test_nothing_goes_where_all_is_read(pose_model: bytes) -> None:
    assert without_output(pose_model, unread=1, stand_in=1) == pose_model


def test_what_is_no_such_model_is_refused(pose_model: bytes) -> None:
    with pytest.raises(ValueError, match="TFL3 is needed"):
        without_output(b"\0" * 100, 2, 1)
    with pytest.raises(ValueError, match="1 graphs, 5 outputs; one graph with 7 and 1"):
        without_output(pose_model, 7, 1)
