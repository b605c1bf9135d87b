"""OpenVINO, one request, shared memory in and out."""
import openvino as ov

import models
from common import THREADS, dense_values, head, serve


def request(model, x):
    core = ov.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    r = compiled.create_infer_request()
    r.set_input_tensor(ov.Tensor(x, shared_memory=True))
    r.infer()
    return r.infer, head(r.get_output_tensor().data)


dense, dense_check = request(models.dense(), dense_values()[0].copy())
body, body_check = request(models.resnet50(), models.resnet50_input())
serve({"dense.infer": (dense, 50, dense_check), "resnet50.infer": (body, 1, body_check)}, f"openvino {ov.__version__}")
