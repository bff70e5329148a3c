"""ONNX models, by ONNX Runtime."""

import os

import onnxruntime

PLATFORM = "onnx_onnxv1"
KINDS = {
    "bool": "BOOL", "uint8": "UINT8", "int8": "INT8", "uint16": "UINT16", "int16": "INT16", "uint32": "UINT32",
    "int32": "INT32", "uint64": "UINT64", "int64": "INT64", "float16": "FP16", "float": "FP32", "double": "FP64",
    "string": "BYTES",
}


class Model:
    """One session. The file is one .onnx with its weights inside."""

    def __init__(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("THREADS", "1"))
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        path = os.path.join(folder, "model")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [about(value) for value in self.session.get_inputs()]
        self.outputs = [about(value) for value in self.session.get_outputs()]

    def run(self, arrays):
        """Runs it once."""
        names = [output["name"] for output in self.outputs]
        return dict(zip(names, self.session.run(names, arrays)))


def about(value):
    """An input or output as the protocol tells it; sizes that are not fixed are -1."""
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    if kind not in KINDS:
        raise ValueError(f"{value.name} is a {value.type}; only tensors of numbers and texts can be served")
    shape = [size if isinstance(size, int) else -1 for size in value.shape]
    return {"name": value.name, "datatype": KINDS[kind], "shape": shape}
