"""TorchScript models, by PyTorch.

TorchScript knows the names of the inputs, not their shapes. Who wants them told adds an extra file to the archive:
`torch.jit.save(model, path, _extra_files={"tensors.json": '{"inputs": [{"name", "datatype", "shape"}], "outputs": […]}'})`.
"""

import json
import os

import torch

PLATFORM = "pytorch_torchscript"


class Model:
    """One scripted or traced module in evaluation mode."""

    def __init__(self, folder):
        torch.set_num_threads(int(os.environ.get("THREADS", "1")))
        extra = {"tensors.json": ""}
        self.module = torch.jit.load(os.path.join(folder, "model"), map_location="cpu", _extra_files=extra).eval()
        told = json.loads(extra["tensors.json"] or "{}")
        self.names = [argument.name for argument in self.module.forward.schema.arguments if argument.name != "self"]
        self.inputs = told.get("inputs") or [{"name": name} for name in self.names]
        self.outputs = told.get("outputs") or []

    def run(self, arrays):
        """Runs it once; inputs are given by name, or in their order when none of the names is known."""
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        known = set(tensors) <= set(self.names)
        with torch.inference_mode():
            found = self.module(**tensors) if known else self.module(*tensors.values())
        return {name: tensor.numpy() for name, tensor in named(found, [output["name"] for output in self.outputs])}


def named(found, names):
    """The tensors of a result with their names: those told, else output, or output0, output1, …"""
    if isinstance(found, dict):
        return list(found.items())
    tensors = list(found) if isinstance(found, (tuple, list)) else [found]
    if not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise ValueError("the model must give a tensor, a tuple or list of tensors, or a dictionary of them")
    if len(names) != len(tensors):
        names = ["output"] if len(tensors) == 1 else [f"output{at}" for at in range(len(tensors))]
    return list(zip(names, tensors))
