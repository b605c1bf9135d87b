"""What every peer worker shares: values, models' weights, and the protocol of bench/run (see harness.h: the same lines)."""
import json
import os
import sys
import time

import numpy as np

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1


def values(shape, seed, scale=1.0):
    """Uniform in [-1, 1): bit for bit those of harness.h."""
    n = int(np.prod(shape))
    with np.errstate(over="ignore"):
        u = (np.arange(n, dtype=np.uint32) + np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)) * np.uint32(2654435761)
        u ^= u >> np.uint32(15)
        u *= np.uint32(2246822519)
        u ^= u >> np.uint32(13)
    f = (u >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
    return (f * np.float32(scale)).reshape(shape)


def dense_values():
    return values((1000, 10), 1), values((10, 10), 2), values((10,), 3)


def mlp_values():
    """x, labels, and the four weights."""
    w1 = values((784, 128), 11, np.sqrt(np.float32(6.0 / 784)))
    w2 = values((128, 10), 12, np.sqrt(np.float32(6.0 / 128)))
    labels = (np.arange(32) * 7 % 10).astype(np.int32)
    return values((32, 784), 10), labels, [w1, np.zeros(128, np.float32), w2, np.zeros(10, np.float32)]


RATE = 0.01


def head(array):
    return [float(v) for v in np.asarray(array).reshape(-1)[:4]]


def two_losses(step):
    """Of the first two steps: the second proves that the first one updated."""
    return [float(step()), float(step())]


def serve(cases, version):
    """cases: name -> (function of one call, calls a sample, check values). A turn's first sample is not kept."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    print(json.dumps({"ready": {n: {"check": c} for n, (_, _, c) in cases.items()}, "version": version}), file=out, flush=True)
    for line in sys.stdin:
        name, samples = line.split()
        call, inner, _ = cases[name]
        spent = []
        for _ in range(int(samples) + 1):
            start = time.perf_counter_ns()
            for _ in range(inner):
                call()
            spent.append((time.perf_counter_ns() - start) / inner)
        print(json.dumps({"t": spent[1:]}), file=out, flush=True)
