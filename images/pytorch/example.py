"""Makes the example: a classifier of irises by their four measures (Fisher, 1936), as a TorchScript module.

    python3 example.py IRIS.CSV MODEL
"""

import json
import sys

import torch

TENSORS = {
    "inputs": [{"name": "measures", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}],
}


class Iris(torch.nn.Module):
    """Two layers; probabilities of setosa, versicolor and virginica."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))

    def forward(self, measures):
        return torch.softmax(self.layers(measures), dim=1)


def main(table, path):
    """Trains and writes it."""
    torch.manual_seed(1936)
    torch.set_num_threads(1)
    with open(table, encoding="ascii") as file:
        rows = torch.tensor([[float(cell) for cell in line.split(",")] for line in file.read().splitlines()[1:]])
    model = Iris()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model.layers(rows[:, :4]), rows[:, 4].long()).backward()
        optimizer.step()
    torch.jit.save(torch.jit.script(model.eval()), path, _extra_files={"tensors.json": json.dumps(TENSORS)})


main(*sys.argv[1:])
