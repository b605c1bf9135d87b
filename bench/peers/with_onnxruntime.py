"""ONNX Runtime with bound inputs and outputs."""
import numpy as np
import onnxruntime as ort

import models
from common import THREADS, dense_values, head, serve


def bound(model, x, shape):
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    out = ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.get_inputs()[0].name, ort.OrtValue.ortvalue_from_numpy(x))
    binding.bind_ortvalue_output(session.get_outputs()[0].name, out)

    def call():
        session.run_with_iobinding(binding)

    call()
    return call, head(out.numpy())


dense, dense_check = bound(models.dense(), dense_values()[0], (1000, 10))
body, body_check = bound(models.resnet50(), models.resnet50_input(), (1, 1000))
serve({"dense.bound": (dense, 50, dense_check), "resnet50.bound": (body, 1, body_check)}, f"onnxruntime {ort.__version__}")
