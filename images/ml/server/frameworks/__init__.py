"""How each framework loads a model and runs it: a class `Model(folder)` with `inputs`, `outputs` and `run(arrays)`."""
