"""Cut out of a TensorFlow Lite model what only an unread output needs; every other result stays the same to the bit.

A model file is a FlatBuffer (tensorflow/lite/schema/schema.fbs): tables whose fields are found through a table of
offsets, vectors that begin with their length. The operators stand in the order in which they run, and TensorFlow Lite
runs all of them whether or not their results are read, so the ones that lead nowhere are taken off that list.
"""

import struct

# fields of the schema's tables, by their place there
_MODEL_SUBGRAPHS = 2
_SUBGRAPH_OUTPUTS, _SUBGRAPH_OPERATORS = 2, 3
_OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 1, 2


def without_output(model: bytes, unread: int, stand_in: int) -> bytes:
    """The model with output number `unread` replaced by output number `stand_in` and the operators it alone needs gone.

    The outputs keep their numbers. The file keeps its length: what nothing refers to any more stays in it.

    Raises:
        ValueError: not a TensorFlow Lite model of one graph that has these outputs.
    """
    if model[4:8] != b"TFL3":
        raise ValueError(f"not a TensorFlow Lite model: its mark is {model[4:8]!r}, TFL3 is needed")
    data = bytearray(model)
    graphs = _vector(data, _target(data, 0), _MODEL_SUBGRAPHS)
    outputs = _vector(data, _target(data, graphs[0]), _SUBGRAPH_OUTPUTS) if graphs else []
    if len(graphs) != 1 or max(unread, stand_in) >= len(outputs):
        raise ValueError(
            f"{len(graphs)} graphs, {len(outputs)} outputs; one graph with {unread} and {stand_in} is needed"
        )
    data[outputs[unread] : outputs[unread] + 4] = data[outputs[stand_in] : outputs[stand_in] + 4]
    needed = {_int(data, place) for place in outputs}
    places, kept = _vector(data, _target(data, graphs[0]), _SUBGRAPH_OPERATORS), []
    for operator in (_target(data, place) for place in reversed(places)):
        if needed & _tensors(data, operator, _OPERATOR_OUTPUTS):
            needed |= _tensors(data, operator, _OPERATOR_INPUTS)
            kept.append(operator)
    struct.pack_into("<I", data, places[0] - 4, len(kept))
    for place, operator in zip(places, reversed(kept), strict=False):
        struct.pack_into("<I", data, place, operator - place)
    return bytes(data)


def _tensors(data: bytearray, operator: int, field: int) -> set[int]:
    return {_int(data, place) for place in _vector(data, operator, field)}


def _vector(data: bytearray, table: int, field: int) -> list[int]:
    """Where the elements, four bytes each, of a vector field begin; none if the field is absent."""
    offsets = table - struct.unpack_from("<i", data, table)[0]
    length, place = struct.unpack_from("<H", data, offsets)[0], 4 + 2 * field
    offset = struct.unpack_from("<H", data, offsets + place)[0] if place < length else 0
    if offset == 0:
        return []
    start = _target(data, table + offset)
    return [start + 4 + 4 * index for index in range(struct.unpack_from("<I", data, start)[0])]


def _target(data: bytearray, place: int) -> int:
    """Where the offset at `place` points to."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _int(data: bytearray, place: int) -> int:
    return int(struct.unpack_from("<i", data, place)[0])
