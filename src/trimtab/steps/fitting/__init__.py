"""How a model is fitted: preprocessing, the ready families, model.py's contract, and the ONNX file of all."""
