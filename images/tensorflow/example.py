"""Makes the example: a classifier of irises by their four measures (Fisher, 1936), as a SavedModel in an archive.

    python3 example.py IRIS.CSV MODEL
"""

import os
import shutil
import sys
import tempfile

import numpy
import tensorflow


def main(table, path):
    """Trains and writes it."""
    tensorflow.keras.utils.set_random_seed(1936)
    tensorflow.config.experimental.enable_op_determinism()
    rows = numpy.loadtxt(table, delimiter=",", skiprows=1, dtype=numpy.float32)
    model = tensorflow.keras.Sequential([
        tensorflow.keras.Input((4,), name="measures"),
        tensorflow.keras.layers.Dense(8, activation="relu"),
        tensorflow.keras.layers.Dense(3, activation="softmax"),
    ])
    model.compile(tensorflow.keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(rows[:, :4], rows[:, 4], epochs=80, batch_size=len(rows), verbose=0)

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 4], tensorflow.float32, "measures")])
    def serve(measures):
        return {"probabilities": model(measures)}

    with tempfile.TemporaryDirectory() as folder:
        saved = os.path.join(folder, "iris")
        tensorflow.saved_model.save(model, saved, signatures=serve)
        shutil.make_archive(path, "zip", saved)
    os.rename(f"{path}.zip", path)


main(*sys.argv[1:])
