"""Makes the example: a classifier of irises by their four measures (Fisher, 1936), as an ONNX model.

    python3 example.py IRIS.CSV MODEL
"""

import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN, STEPS, RATE = 8, 2000, 0.05


def train(features, classes):
    """Two layers, fitted by plain gradient descent; the same numbers each time."""
    chance = numpy.random.default_rng(1936)
    first, first_bias = chance.normal(0, 0.5, (features.shape[1], HIDDEN)), numpy.zeros(HIDDEN)
    second, second_bias = chance.normal(0, 0.5, (HIDDEN, classes.shape[1])), numpy.zeros(classes.shape[1])
    for _ in range(STEPS):
        inner = numpy.maximum(features @ first + first_bias, 0)
        scores = inner @ second + second_bias
        scores = numpy.exp(scores - scores.max(axis=1, keepdims=True))
        wrong = (scores / scores.sum(axis=1, keepdims=True) - classes) / len(features)
        back = (wrong @ second.T) * (inner > 0)
        second, second_bias = second - RATE * inner.T @ wrong, second_bias - RATE * wrong.sum(axis=0)
        first, first_bias = first - RATE * features.T @ back, first_bias - RATE * back.sum(axis=0)
    return {"first": first, "first_bias": first_bias, "second": second, "second_bias": second_bias}


def model(weights):
    """The layers as a graph."""
    nodes = [
        helper.make_node("Gemm", ["measures", "first", "first_bias"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["inner"]),
        helper.make_node("Gemm", ["inner", "second", "second_bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    kept = [numpy_helper.from_array(value.astype(numpy.float32), name) for name, value in weights.items()]
    inputs = [helper.make_tensor_value_info("measures", TensorProto.FLOAT, [None, 4])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3])]
    graph = helper.make_graph(nodes, "iris", inputs, outputs, kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def main(table, path):
    """Trains, checks and writes it."""
    rows = numpy.loadtxt(table, delimiter=",", skiprows=1)
    classes = numpy.eye(3)[rows[:, 4].astype(int)]
    made = model(train(rows[:, :4], classes))
    onnx.checker.check_model(made)
    onnx.save(made, path)


main(*sys.argv[1:])
