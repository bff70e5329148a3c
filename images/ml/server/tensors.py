"""Tensors of the Open Inference Protocol: out of requests, into answers. Foreign bytes; everything has a limit.

Two forms are read and written: JSON alone, and the extension for binary data, where the body is a JSON document of
`Inference-Header-Content-Length` bytes followed by the tensors' bytes (little-endian, row-major, each element of BYTES after
its length of four bytes).
"""

import json
import math
import struct
import sys
from array import array
from dataclasses import dataclass, field

MAX_TENSORS = 64
MAX_RANK = 8
MAX_ELEMENTS = 4_000_000
MAX_NAME = 256

# Bytes of one element; BYTES has none.
SIZES = {
    "BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "BF16": 2,
    "UINT32": 4, "INT32": 4, "FP32": 4, "UINT64": 8, "INT64": 8, "FP64": 8, "BYTES": 0,
}
# Those that the module `array` knows, by its letters.
LETTERS = {
    "UINT8": "B", "INT8": "b", "UINT16": "H", "INT16": "h", "UINT32": "I", "INT32": "i",
    "UINT64": "Q", "INT64": "q", "FP32": "f", "FP64": "d",
}


class Wrong(Exception):
    """What the sender must mend; the text tells it."""


@dataclass
class Tensor:
    """One array of numbers or byte strings, in the protocol's binary form."""

    name: str
    datatype: str
    shape: list
    data: bytes

    def about(self):
        """What describes it to the process that runs the model."""
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape, "bytes": len(self.data)}


@dataclass
class Asked:
    """A request to run a model."""

    inputs: list
    id: str | None = None
    # The names of the wanted outputs with whether each is wanted in binary form; empty: all of them.
    outputs: dict = field(default_factory=dict)
    binary: bool = False


def read(body, header_length=None):
    """Reads a request; `header_length` is that of its JSON part when binary data follows."""
    if header_length is None:
        header_length = len(body)
    if not 0 < header_length <= len(body):
        raise Wrong(f"the JSON part cannot have {header_length} bytes of a body with {len(body)}")
    try:
        said = json.loads(body[:header_length], parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"the body is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Wrong("the body must be a JSON object with inputs")
    rest = memoryview(body)[header_length:]
    inputs, used = [], 0
    for item in _items(said, "inputs"):
        tensor, size = _input(item, rest[used:])
        inputs.append(tensor)
        used += size
    if used != len(rest):
        raise Wrong(f"{len(rest) - used} bytes of binary data belong to no input")
    if not inputs:
        raise Wrong("inputs is missing or empty")
    if len({tensor.name for tensor in inputs}) != len(inputs):
        raise Wrong("an input stands there twice")
    return Asked(inputs, _id(said), _outputs(said), bool(_parameters(said).get("binary_data_output")))


def write(asked, model, version, outputs):
    """The body of an answer and the length of its JSON part (none: there is nothing else)."""
    listed, chunks = [], []
    for tensor in outputs:
        item = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if asked.outputs.get(tensor.name, asked.binary):
            item["parameters"] = {"binary_data_size": len(tensor.data)}
            chunks.append(tensor.data)
        else:
            item["data"] = to_json(tensor)
        listed.append(item)
    answer = {"model_name": model, "model_version": str(version), "outputs": listed}
    if asked.id is not None:
        answer["id"] = asked.id
    head = json.dumps(answer, allow_nan=False).encode()
    return b"".join([head, *chunks]), (len(head) if chunks else None)


def to_json(tensor):
    """The elements as JSON has them, row-major; what is no finite number becomes null."""
    kind, data = tensor.datatype, tensor.data
    if kind == "BYTES":
        try:
            return [text.decode() for text in strings(data)]
        except UnicodeDecodeError:
            raise Wrong(f"output {tensor.name} is not text: ask for it with binary_data") from None
    if kind == "BOOL":
        return [byte != 0 for byte in data]
    if kind == "BF16":
        # The upper half of a number of four bytes.
        wide = bytearray(2 * len(data))
        wide[2::4], wide[3::4] = data[0::2], data[1::2]
        kind, data = "FP32", bytes(wide)
    numbers = struct.unpack(f"<{len(data) // 2}e", data) if kind == "FP16" else _array(kind, data).tolist()
    if kind.startswith("FP"):
        return [number if math.isfinite(number) else None for number in numbers]
    return numbers


def strings(data):
    """The byte strings of a tensor of BYTES."""
    found, at = [], 0
    while at < len(data):
        if at + 4 > len(data):
            raise Wrong("the last length of BYTES is cut off")
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if at + size > len(data):
            raise Wrong("an element of BYTES is cut off")
        found.append(bytes(data[at:at + size]))
        at += size
    return found


def pack(texts):
    """Byte strings as a tensor has them."""
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _input(item, rest):
    name, datatype = item.get("name"), item.get("datatype")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise Wrong("an input has no name")
    if datatype not in SIZES:
        raise Wrong(f"input {name}: datatype must be one of {', '.join(SIZES)}")
    shape = item.get("shape")
    count = elements(shape)
    if count is None:
        raise Wrong(f"input {name}: shape must be a list of at most {MAX_RANK} sizes, {MAX_ELEMENTS} elements in all")
    size = _parameters(item).get("binary_data_size")
    if size is not None:
        if type(size) is not int or not 0 <= size <= len(rest):
            raise Wrong(f"input {name}: there are {len(rest)} bytes of binary data, not {size}")
        data = bytes(rest[:size])
    else:
        data, size = _from_json(name, datatype, item.get("data")), 0
    has = len(strings(data)) if datatype == "BYTES" else len(data) / SIZES[datatype]
    if has != count:
        raise Wrong(f"input {name}: shape {shape} has {count} elements, data has {has:g}")
    return Tensor(name, datatype, shape, data), size


def elements(shape):
    """How many elements a shape has; None for what is no shape, or too large a one."""
    if not isinstance(shape, list) or len(shape) > MAX_RANK:
        return None
    if any(type(size) is not int or not 0 <= size <= MAX_ELEMENTS for size in shape):
        return None
    count = math.prod(shape)
    return count if count <= MAX_ELEMENTS else None


def _from_json(name, datatype, data):
    if datatype == "BF16":
        raise Wrong(f"input {name}: BF16 has no form in JSON; send it as binary data")
    flat = []
    _flatten(data, flat, MAX_RANK)
    try:
        if datatype == "BYTES":
            return pack([text.encode() for text in flat])
        if datatype == "BOOL":
            if any(type(value) is not bool for value in flat):
                raise TypeError("true or false is expected")
            return bytes(flat)
        if any(type(value) is bool for value in flat):
            raise TypeError("a number is expected, not true or false")
        if datatype == "FP16":
            return struct.pack(f"<{len(flat)}e", *flat)
        return _swapped(array(LETTERS[datatype], flat)).tobytes()
    except (TypeError, ValueError, OverflowError, AttributeError, struct.error) as error:
        raise Wrong(f"input {name}: data does not fit {datatype}: {error}") from None


def _flatten(data, into, depth):
    if not isinstance(data, list) or depth == 0:
        raise Wrong(f"data must be a list of values, nested at most {MAX_RANK} deep")
    if not any(isinstance(value, list) for value in data):
        into.extend(data)
    else:
        for value in data:
            _flatten(value, into, depth - 1)
    if len(into) > MAX_ELEMENTS:
        raise Wrong(f"data has more than {MAX_ELEMENTS} elements")


def _outputs(said):
    wanted = {}
    for item in _items(said, "outputs"):
        name = item.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise Wrong("an output has no name")
        parameters = _parameters(item)
        if "classification" in parameters:
            raise Wrong("the extension for classification is not there; ask for the output itself")
        wanted[name] = bool(parameters.get("binary_data", _parameters(said).get("binary_data_output", False)))
    return wanted


def _items(said, name):
    items = said.get(name, [])
    if not isinstance(items, list) or len(items) > MAX_TENSORS or not all(isinstance(item, dict) for item in items):
        raise Wrong(f"{name} must be a list of at most {MAX_TENSORS} objects")
    return items


def _parameters(item):
    parameters = item.get("parameters", {})
    if not isinstance(parameters, dict):
        raise Wrong("parameters must be an object")
    return parameters


def _id(said):
    value = said.get("id")
    if value is not None and (not isinstance(value, str) or len(value) > MAX_NAME):
        raise Wrong(f"id must be a text of at most {MAX_NAME} characters")
    return value


def _no_constant(word):
    raise ValueError(f"{word} is no JSON")


def _array(datatype, data):
    numbers = array(LETTERS[datatype])
    numbers.frombytes(data)
    return _swapped(numbers)


def _swapped(numbers):
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
