"""Models of TensorFlow: a SavedModel as a .zip, a frozen graph (.pb), a file of Keras (.keras, .h5)."""

import os
import shutil
import zipfile

import tensorflow

PLATFORM = "tensorflow_savedmodel"
UNKNOWN = "the file is no SavedModel in a .zip, no frozen graph and no model of Keras"
MAX_FILES = 10_000
MAX_UNPACKED = 8 << 30


class Model:
    """One function from named tensors to named tensors."""

    def __init__(self, folder):
        tensorflow.config.threading.set_intra_op_parallelism_threads(int(os.environ.get("THREADS", "1")))
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        # What was loaded is kept, since the function does not keep its variables.
        self.kept, self.function = loaded(folder)
        specs = self.function.structured_input_signature[1]
        self.specs = specs
        self.inputs = [about(name, spec) for name, spec in specs.items()]
        self.outputs = [about(name, spec) for name, spec in self.function.structured_outputs.items()]

    def run(self, arrays):
        """Runs it once."""
        unknown = [name for name in arrays if name not in self.specs]
        missing = [name for name in self.specs if name not in arrays]
        if unknown or missing:
            raise ValueError(f"the inputs are {', '.join(self.specs)}, not {', '.join(arrays)}")
        tensors = {name: tensorflow.constant(array, dtype=self.specs[name].dtype) for name, array in arrays.items()}
        return {name: tensor.numpy() for name, tensor in self.function(**tensors).items()}


def loaded(folder):
    """What was loaded and its function, whatever kind of file it is."""
    path = os.path.join(folder, "model")
    with open(path, "rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        return of_keras(path, folder, ".h5")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if "config.json" in archive.namelist():
                return of_keras(path, folder, ".keras")
            return of_saved(unpacked(archive, folder))
    return of_graph(path)


def of_saved(folder):
    """A SavedModel: its signature serving_default, or its only one."""
    model = tensorflow.saved_model.load(folder)
    signatures = dict(model.signatures)
    name = "serving_default" if "serving_default" in signatures else next(iter(signatures), None)
    if name is None:
        raise ValueError("the SavedModel has no signature; export it with model.export or with signatures=")
    return model, signatures[name]


def of_keras(path, folder, suffix):
    """A model of Keras, which knows its file by the name's end."""
    link = os.path.join(folder, f"keras{suffix}")
    os.link(path, link)
    try:
        model = tensorflow.keras.models.load_model(link, compile=False)
    finally:
        os.unlink(link)
    specs = {value.name: tensorflow.TensorSpec(value.shape, value.dtype, value.name) for value in model.inputs}

    def call(**tensors):
        given = [tensors[name] for name in specs]
        found = model(given if len(given) > 1 else given[0], training=False)
        if isinstance(found, dict):
            return found
        found = found if isinstance(found, (list, tuple)) else [found]
        return dict(zip(getattr(model, "output_names", [f"output_{at}" for at in range(len(found))]), found))

    return model, tensorflow.function(call).get_concrete_function(**specs)


def of_graph(path):
    """A frozen graph: its placeholders are the inputs, what nothing reads are the outputs."""
    graph_def = tensorflow.compat.v1.GraphDef()
    with open(path, "rb") as file:
        try:
            graph_def.ParseFromString(file.read())
        except Exception:
            raise ValueError(UNKNOWN) from None
    wrapped = tensorflow.compat.v1.wrap_function(lambda: tensorflow.import_graph_def(graph_def, name=""), [])
    operations = wrapped.graph.get_operations()
    inputs = [op.outputs[0] for op in operations if op.type == "Placeholder"]
    ends = [op.outputs[0] for op in operations if op.outputs and not any(out.consumers() for out in op.outputs)]
    outputs = {end.op.name: end for end in ends if end.op.type not in ("Placeholder", "Const", "NoOp")}
    if not inputs or not outputs:
        raise ValueError(UNKNOWN)
    pruned = wrapped.prune(inputs, outputs)
    specs = {value.op.name: tensorflow.TensorSpec(value.shape, value.dtype, value.op.name) for value in inputs}

    def call(**tensors):
        return pruned(*(tensors[name] for name in specs))

    return wrapped, tensorflow.function(call).get_concrete_function(**specs)


def unpacked(archive, folder):
    """The folder of the SavedModel in an archive, which may stand in one folder of its own."""
    target = os.path.join(folder, "unpacked")
    if not os.path.isdir(target):
        files = archive.infolist()
        if len(files) > MAX_FILES or sum(file.file_size for file in files) > MAX_UNPACKED:
            raise ValueError(f"the archive has more than {MAX_FILES} files or unpacks to more than {MAX_UNPACKED >> 30} GB")
        half = f"{target}.half"
        shutil.rmtree(half, ignore_errors=True)
        archive.extractall(half)
        os.rename(half, target)
    for found, _, files in os.walk(target):
        if "saved_model.pb" in files:
            return found
    raise ValueError("the archive has no saved_model.pb")


def about(name, spec):
    """An input or output as the protocol tells it; sizes that are not fixed are -1."""
    shape = [] if spec.shape.rank is None else [-1 if size is None else size for size in spec.shape]
    return {"name": name, "datatype": kind(spec.dtype), "shape": shape}


def kind(dtype):
    """What the protocol calls a type of TensorFlow."""
    known = {"bool": "BOOL", "half": "FP16", "float16": "FP16", "float32": "FP32", "float64": "FP64", "string": "BYTES", "bfloat16": "BF16"}
    name = tensorflow.as_dtype(dtype).name
    return known.get(name, name.upper())
