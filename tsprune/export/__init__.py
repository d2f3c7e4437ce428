"""A model as an ONNX graph, for runtimes without Python; needs `pip install "tsprune[onnx]"`.

Stands below `tsprune.model` and imports none of it: a part is written by the name of its class, and `Model.to_onnx` comes here
when it is called.
"""

from tsprune.export.model import to_onnx

__all__ = ["to_onnx"]
