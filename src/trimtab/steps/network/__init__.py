"""Networks: torch modules that learn in trimtab's loop, and are then estimators like any other.

`estimator` is what the other steps see. `loop` is the training, `loader` its rows in a seeded order, `checkpoints`
what a killed run goes on from, `graph` the ONNX file. Only what needs torch imports it, and nothing imports that
before a project has a network.
"""
