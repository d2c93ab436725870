"""The KServe model server: one self-contained model folder behind KServe's V1 and V2 protocols.

`front` takes a request, `wire`, `values` and `accepted` turn it into columns, `lookup` and `predictor` into
predictions, `payload_log` tells the collector of it. `server` runs the process.
"""
