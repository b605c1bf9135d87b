"""Loads a model file several times with Keras: load_keras.py FILE LOADS. Prints a JSON line like bench_load's; the idle process has Keras imported."""
import json
import sys
import time

import keras
import tensorflow as tf


def status(key):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith(key))


def load_once():
    start = time.perf_counter()
    model = keras.models.load_model(sys.argv[1])
    return 1e3 * (time.perf_counter() - start), model


tf.zeros([1])  # what TensorFlow sets up at its first op belongs to the idle process
idle = status("VmRSS")
first, model = load_once()
weights = sum(w.nbytes for w in model.get_weights())
peak = status("VmHWM")
ms = [first] + [load_once()[0] for _ in range(int(sys.argv[2]) - 1)]
print(json.dumps({"weights": weights, "idle": idle, "peak": peak, "ratio": (peak - idle) / weights, "ms": ms, "version": f"Keras {keras.__version__} on TensorFlow {tf.__version__}"}))
