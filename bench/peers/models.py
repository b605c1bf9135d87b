"""ONNX files of the measured models, in memory: a Gemm, and ResNet50's body with BatchNormalization folded (resnet50.h)."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from common import dense_values, values


def _model(nodes, inputs, outputs, weights):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "bench",
        [info(n, TensorProto.FLOAT, s) for n, s in inputs], [info(n, TensorProto.FLOAT, s) for n, s in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(v), n) for n, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def dense():
    _, w, b = dense_values()
    return _model([helper.make_node("Gemm", ["x", "w", "b"], ["y"])], [("x", [1000, 10])], [("y", [1000, 10])], {"w": w, "b": b})


def resnet50_input():
    return np.ascontiguousarray(values((1, 224, 224, 3), 7).transpose(0, 3, 1, 2))


class _Body:
    def __init__(self):
        self.nodes, self.weights, self.convs = [], {}, 0

    def node(self, op, inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def conv(self, x, cin, cout, kernel, stride, pad, last=False):
        i, self.convs = self.convs, self.convs + 1
        scale = np.sqrt(np.float32(6.0) / np.float32(cin * kernel * kernel)) * np.float32(0.3 if last else 1.0)
        self.weights[f"w{i}"] = values((kernel, kernel, cin, cout), 100 + i, scale).transpose(3, 2, 0, 1)
        self.weights[f"b{i}"] = values((cout,), 200 + i, 0.1)
        return self.node("Conv", [x, f"w{i}", f"b{i}"], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)


def resnet50():
    g = _Body()
    x = g.node("Relu", [g.conv("x", 3, 64, 7, 2, 3)])
    x = g.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    cin = 64
    for stage, (width, depth) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3))):
        for i in range(depth):
            stride = 2 if i == 0 and stage > 0 else 1
            residual = g.conv(x, cin, 4 * width, 1, stride, 0) if i == 0 else x
            y = g.node("Relu", [g.conv(x, cin, width, 1, stride, 0)])
            y = g.node("Relu", [g.conv(y, width, width, 3, 1, 1)])
            y = g.conv(y, width, 4 * width, 1, 1, 0, last=True)
            x = g.node("Relu", [g.node("Add", [y, residual])])
            cin = 4 * width
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x])])
    g.weights["wd"] = values((2048, 1000), 300, np.sqrt(np.float32(6.0 / 2048)))
    g.weights["bd"] = values((1000,), 301, 0.1)
    y = g.node("Gemm", [x, "wd", "bd"])
    return _model(g.nodes, [("x", [1, 3, 224, 224])], [(y, [1, 1000])], g.weights)
