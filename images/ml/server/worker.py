"""The process that runs one model: loads it, then answers frames until its standard input ends.

    python3 -m server.worker FRAMEWORK FOLDER

A model that crashes, hangs or needs too much memory ends this process and no other.
"""

import importlib
import os
import sys

from server.frames import Gone, Pipe
from server.tensors import Tensor, pack, strings

# Where memory is short, the kernel shall end a model rather than the server.
FIRST_TO_END = "700"
MAX_ERROR = 2000


def main(framework, folder):
    """Loads and answers. Frameworks write what they like to the standard output: that becomes the error output."""
    answers = os.dup(1)
    os.dup2(2, 1)
    pipe = Pipe(os.dup(0), answers)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(FIRST_TO_END)
    try:
        adapter = importlib.import_module(f"server.frameworks.{framework}")
        model = adapter.Model(folder)
        pipe.send({"ready": {"platform": adapter.PLATFORM, "inputs": model.inputs, "outputs": model.outputs}})
    except Exception as error:  # whatever a framework throws, its owner shall read it
        pipe.send({"error": words(error)})
        return 1
    while True:
        try:
            head = pipe.head()
            tensors = [Tensor(t["name"], t["datatype"], t["shape"], pipe.exactly(t["bytes"])) for t in head["inputs"]]
        except Gone:
            return 0
        try:
            outputs = answer(model, tensors, head["outputs"])
            pipe.send({"outputs": [tensor.about() for tensor in outputs]}, [tensor.data for tensor in outputs])
        except Exception as error:
            pipe.send({"error": words(error)})


def answer(model, tensors, wanted):
    """Runs the model once."""
    arrays = {tensor.name: to_array(tensor) for tensor in tensors}
    found = model.run(arrays)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(f"there is no output {', '.join(missing)}; there are: {', '.join(found)}")
    return [to_tensor(name, found[name]) for name in wanted or found]


NUMPY = {
    "BOOL": "?", "UINT8": "u1", "INT8": "i1", "UINT16": "<u2", "INT16": "<i2", "UINT32": "<u4", "INT32": "<i4",
    "UINT64": "<u8", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}
DATATYPES = {letters.lstrip("<"): name for name, letters in NUMPY.items()}


def to_array(tensor):
    """An array of numpy that has a tensor's elements."""
    import numpy

    if tensor.datatype == "BYTES":
        array = numpy.array(strings(tensor.data), dtype=object)
    elif tensor.datatype in NUMPY:
        array = numpy.frombuffer(bytearray(tensor.data), dtype=NUMPY[tensor.datatype])
    else:
        raise ValueError(f"{tensor.datatype} is not taken by this framework")
    return array.reshape(tensor.shape)


def to_tensor(name, array):
    """A tensor that has an array's elements."""
    import numpy

    array = numpy.ascontiguousarray(array)
    if array.dtype.kind in "OSU":
        texts = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
        return Tensor(name, "BYTES", list(array.shape), pack(texts))
    kind = datatype(array.dtype)
    return Tensor(name, kind, list(array.shape), array.astype(NUMPY[kind], copy=False).tobytes())


def datatype(dtype):
    """What the protocol calls a type of numpy."""
    letters = "?" if dtype.kind == "b" else f"{dtype.kind}{dtype.itemsize}"
    if letters not in DATATYPES:
        raise ValueError(f"the protocol has no datatype for {dtype}")
    return DATATYPES[letters]


def words(error):
    """An error in one text of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= MAX_ERROR else f"{text[:MAX_ERROR]} …"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
