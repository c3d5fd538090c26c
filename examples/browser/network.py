# network.py - all-MiniLM-L6-v2 as ONNX: as it was trained, or small for a browser
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The model ids[texts, pieces] -> vector[texts, 384] of unit length. Texts of one call have the
same number of pieces, so there is neither padding nor a mask.

Quantised, weights are int8 with a scale for each output. Inputs of products become uint8 as they
come, with a scale for each piece of a text: one for the whole text, DynamicQuantizeLinear's, is a
millisecond faster and costs more than all the rest (of 1,300 definitions' 10 nearest by f32 finds
.919, not .943). Fewer values than a byte has make the file no smaller, but what gzip makes of it.
Bits of words and of products, bytes with gzip, and how many of the 10 nearest of 32,719 definitions
by f32 are found with quantised queries, 400 of WordNet's example sentences and 25 as people ask:
8, 8: 20.1 MB, .940, .956; 5, 7: 15.3 MB, .925, .952; 5, 6: 14.3 MB, .898, .928.
7 bits also keep products of uint8 and int8 out of the 16-bit saturation of older x86 kernels."""
import math

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYERS, HEADS, DIM = 6, 12, 384
PIECES_MAX = 128
EPSILON = 1e-12
WORD_BITS, PRODUCT_BITS = 5, 7
ZERO = 128  # what stands for 0 among uint8
OPSET, IR = 20, 9  # what onnxruntime 1.17 (2024) and later read


class Graph:
    """Nodes and constants as they are written down; each node's name is its output's."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(numpy.ascontiguousarray(value), name)
        return name

    def __call__(self, kind, *inputs, **attributes):
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name


def rounded(values, axis, bits):
    """(int8 of so many bits, scales along the axis)"""
    scale = numpy.abs(values).max(axis=axis, keepdims=True) / (2 ** (bits - 1) - 1)
    scale = numpy.maximum(scale, numpy.finfo("f4").tiny).astype("f4")
    return numpy.rint(values / scale).astype("i1"), scale


class MiniLM:
    """One graph out of the model's weights."""

    def __init__(self, weights, small):
        self.w, self.small, self.g = weights, small, Graph()
        self.inputs = {}  # quantised once, used by query, key and value

    def weight(self, name, value=None):
        return self.g.constant(name, self.w[name] if value is None else value)

    def embedded(self):
        g, words = self.g, self.w["embeddings.word_embeddings.weight"]
        if self.small:
            table, scale = rounded(words, 1, WORD_BITS)
            x = g("Gather", self.weight("words", table), "ids")
            x = g("Mul", g("Cast", x, to=TensorProto.FLOAT),
                  g("Gather", self.weight("words.scale", scale), "ids"))
        else:
            x = g("Gather", self.weight("words", words), "ids")
        places = self.w["embeddings.position_embeddings.weight"][:PIECES_MAX] + \
            self.w["embeddings.token_type_embeddings.weight"][0]
        start, length = self.weight("start", numpy.array([0])), g("Shape", "ids", start=1, end=2)
        x = g("Add", x, g("Slice", self.weight("places", places), start, length))
        return self.normal(x, "embeddings.LayerNorm")

    def normal(self, x, name):
        return self.g("LayerNormalization", x, self.weight(name + ".weight"),
                      self.weight(name + ".bias"), axis=-1, epsilon=EPSILON)

    def quantised(self, x):
        """(x as uint8 around ZERO, the scale of each row of it)"""
        g = self.g
        if x not in self.inputs:
            top = g("ReduceMax", g("Abs", x), self.weight("last", numpy.array([-1])), keepdims=1)
            top = g("Max", top, self.weight("tiny", numpy.float32(1e-20)))
            scale = g("Mul", top, self.weight("step", numpy.float32(1 / (ZERO - 1))))
            whole = g("Add", g("Round", g("Div", x, scale)), self.weight("up", numpy.float32(ZERO)))
            self.inputs[x] = g("Cast", whole, to=TensorProto.UINT8), scale
        return self.inputs[x]

    def linear(self, x, name):
        g, matrix = self.g, self.w[name + ".weight"].T
        if self.small:
            table, scale = rounded(matrix, 0, PRODUCT_BITS)
            inside, factor = self.quantised(x)
            y = g("MatMulInteger", inside, self.weight(name, table),
                  self.weight("zero", numpy.uint8(ZERO)))
            y = g("Mul", g("Cast", y, to=TensorProto.FLOAT), factor)
            y = g("Mul", y, self.weight(name + ".scale", scale[0]))
        else:
            y = g("MatMul", x, self.weight(name, matrix))
        return g("Add", y, self.weight(name + ".bias"))

    def heads(self, x, order):
        shape = self.weight("heads", numpy.array([0, 0, HEADS, DIM // HEADS]))
        return self.g("Transpose", self.g("Reshape", x, shape), perm=order)

    def attention(self, x, layer):
        g = self.g
        query, key, value = (self.linear(x, f"{layer}.attention.self.{part}")
                             for part in ("query", "key", "value"))
        scores = g("MatMul", self.heads(query, [0, 2, 1, 3]), self.heads(key, [0, 2, 3, 1]))
        size = self.weight("size", numpy.float32(1 / math.sqrt(DIM / HEADS)))
        shares = g("Softmax", g("Mul", scores, size), axis=-1)
        mixed = g("MatMul", shares, self.heads(value, [0, 2, 1, 3]))
        flat = self.weight("flat", numpy.array([0, 0, DIM]))
        mixed = g("Reshape", g("Transpose", mixed, perm=[0, 2, 1, 3]), flat)
        return self.linear(mixed, f"{layer}.attention.output.dense")

    def model(self):
        g, x = self.g, self.embedded()
        for number in range(LAYERS):
            layer = f"encoder.layer.{number}"
            x = self.normal(g("Add", x, self.attention(x, layer)),
                            f"{layer}.attention.output.LayerNorm")
            inner = g("Gelu", self.linear(x, f"{layer}.intermediate.dense"))
            x = self.normal(g("Add", x, self.linear(inner, f"{layer}.output.dense")),
                            f"{layer}.output.LayerNorm")
        mean = g("ReduceMean", x, self.weight("pieces", numpy.array([1])), keepdims=0)
        g.nodes.append(helper.make_node("LpNormalization", [mean], ["vector"], axis=-1, p=2))
        graph = helper.make_graph(
            g.nodes, "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "pieces"])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["texts", DIM])],
            list(g.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  ir_version=IR, producer_name="nigh-example")
        onnx.checker.check_model(model)
        return model.SerializeToString()


def export(weights, small):
    """Bytes of the ONNX file."""
    return MiniLM(weights, small).model()
