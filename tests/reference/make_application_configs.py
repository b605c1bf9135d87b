"""Writes application_configs.npz: what Keras' own networks are made of, for those that Tenure builds itself. Run: python make_application_configs.py

Arrays: "<case>/model", model.to_json() as UTF-8, and "<case>/weights", the arrays of its .weights.h5 as JSON: [[path, shape], ...].
"""
import json
import pathlib
import tempfile

import golden  # first: it chooses how TensorFlow computes

import h5py
import keras
import numpy as np

TOP = {"input_shape": (64, 48, 3), "classes": 7}
CASES = {
    "ResNet50": ("ResNet50", TOP), "ResNet50 features": ("ResNet50", {"include_top": False, "pooling": "avg"}),
    "MobileNetV2": ("MobileNetV2", TOP), "MobileNetV2 narrow": ("MobileNetV2", {**TOP, "alpha": 0.35, "name": "narrow"}),
    "MobileNetV2 wide": ("MobileNetV2", {"alpha": 1.4, "include_top": False, "input_shape": (33, 97, 3)}),
    "EfficientNetB0": ("EfficientNetB0", TOP),
    "EfficientNetB0 features": ("EfficientNetB0", {"include_top": False, "input_shape": (None, None, 3), "pooling": "max"}),
    "DenseNet121": ("DenseNet121", TOP), "DenseNet121 features": ("DenseNet121", {"include_top": False, "input_shape": (65, 64, 1)}),
    "ConvNeXtTiny": ("ConvNeXtTiny", TOP),
    "ConvNeXtTiny features": ("ConvNeXtTiny", {"include_top": False, "include_preprocessing": False, "pooling": "avg"}),
}


def weights(model):
    """[[path, shape]] of the file that Keras writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "w.weights.h5"
        model.save_weights(path)
        found = []
        with h5py.File(path) as f:
            f.visititems(lambda name, item: found.append([name, list(item.shape)]) if isinstance(item, h5py.Dataset) else None)
    return found


if __name__ == "__main__":
    arrays = {"meta": golden.text(golden.meta(__file__))}
    for case, (network, arguments) in CASES.items():
        keras.utils.clear_session()
        model = getattr(keras.applications, network)(weights=None, **arguments)
        arrays[f"{case}/model"] = np.frombuffer(model.to_json().encode(), "uint8")
        arrays[f"{case}/weights"] = golden.text(weights(model))
        print(f"{case}: {model.count_params()} parameters", flush=True)
    golden.save(golden.HERE / "application_configs.npz", arrays)
