"""A few lines of ONNX (protobuf by hand), to make models of the shapes that rtmlib expects."""

from pathlib import Path

import numpy as np

FLOAT, INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def message(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def tensor(name: str, array: np.ndarray) -> bytes:
    kind = INT64 if array.dtype == np.int64 else FLOAT
    dims = b"".join(number(1, size) for size in array.shape)
    return dims + number(2, kind) + message(8, name) + message(9, array.tobytes())


def value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(message(1, number(1, size)) for size in shape)
    return message(1, name) + message(2, message(1, number(1, FLOAT) + message(2, dims)))


def node(kind: str, inputs: list[str], outputs: list[str], **ints: list[int] | int) -> bytes:
    attributes = b""
    for name, given in ints.items():
        if isinstance(given, int):
            attributes += message(5, message(1, name) + number(3, given) + number(20, 2))
        else:
            attributes += message(5, message(1, name) + b"".join(number(8, i) for i in given) + number(20, 7))
    head = b"".join(message(1, name) for name in inputs) + b"".join(message(2, name) for name in outputs)
    return head + message(4, kind) + attributes


def model(
    path: Path, nodes: list[bytes], constants: dict[str, np.ndarray], inputs: dict[str, tuple[int, ...]],
    outputs: dict[str, tuple[int, ...]],
) -> None:  # fmt: skip
    graph = b"".join(message(1, each) for each in nodes) + message(2, "tiny")
    graph += b"".join(message(5, tensor(name, array)) for name, array in constants.items())
    graph += b"".join(message(11, value(name, shape)) for name, shape in inputs.items())
    graph += b"".join(message(12, value(name, shape)) for name, shape in outputs.items())
    path.write_bytes(number(1, 8) + message(8, message(1, "") + number(2, 13)) + message(7, graph))


def person_detector(path: Path, boxes: list[tuple[float, float, float, float]], scores: list[float]) -> None:
    """Gives the same boxes (x0 y0 x1 y1 of a 64 px input) for any picture: YOLOX with its NMS inside."""
    rows = np.array([[*box, score] for box, score in zip(boxes, scores, strict=True)], np.float32)[None]
    nodes = [
        node("ReduceSum", ["input"], ["sum"], keepdims=0),
        node("Mul", ["sum", "zero"], ["nothing"]),
        node("Add", ["rows", "nothing"], ["output"]),
    ]
    constants = {"rows": rows, "zero": np.zeros((), np.float32)}
    model(path, nodes, constants, {"input": (1, 3, 64, 64)}, {"output": rows.shape})


def brightest_point(path: Path, keypoints: int = 133, height: int = 128, width: int = 96) -> None:
    """A SimCC model: every keypoint lies at the brightest pixel."""
    nodes, constants, outputs = [], {}, {}
    for axis, side, name in ((2, width, "x"), (3, height, "y")):
        constants |= {
            f"{name}_column": np.array([1, 1, side, 1]),
            f"{name}_spread": np.array([1, keypoints, side, 2]),
            f"{name}_bins": np.array([1, keypoints, 2 * side]),
        }
        nodes += [
            node("ReduceMax", ["input"], [f"{name}_max"], axes=[1, axis], keepdims=1),
            node("Reshape", [f"{name}_max", f"{name}_column"], [f"{name}_line"]),
            node("Expand", [f"{name}_line", f"{name}_spread"], [f"{name}_pairs"]),
            node("Reshape", [f"{name}_pairs", f"{name}_bins"], [f"simcc_{name}"]),
        ]
        outputs[f"simcc_{name}"] = (1, keypoints, 2 * side)
    model(path, nodes, constants, {"input": (1, 3, height, width)}, outputs)
