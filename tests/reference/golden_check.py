"""Makes golden cases anew with the real Keras and compares them with the files beside this script.

Usage: golden_check.py [--count 10 | --all] [--seed N] [--only TEXT]. Exit code 1 if a case differs or a file was made by another script.
"""
import argparse
import random
import sys

import numpy as np

import golden
import make_audio
import make_augmentation_more
import make_demo_model
import make_layers
import make_layers_vision
import make_ops
import make_ops_more
import make_ops_rest
import make_preprocessing
import make_preprocessing_models
import make_training

TOLERANCE = 1e-5  # max|a-b| <= TOLERANCE * max(1, max|b|)


def difference(a, b):
    """In units of the tolerance's right side; infinite where shape, type or finiteness differ."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.inf
    if a.size == 0 or np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
        return 0.0
    if a.dtype.kind != "f" or not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    a, b = a[np.isfinite(b)].astype("float64"), b[np.isfinite(b)].astype("float64")
    return float(np.max(np.abs(a - b)) / max(1.0, np.max(np.abs(b))))


def compare(made, kept):
    """Problems in words, and the largest difference."""
    (entry, arrays), (kept_entry, kept_arrays) = made, kept
    problems = [] if golden.plain(entry) == {k: v for k, v in kept_entry.items() if k != "name"} else ["its description differs"]
    problems += [f"array {k} stands on one side only" for k in sorted(set(arrays) ^ set(kept_arrays))]
    worst = max([0.0] + [difference(arrays[k], kept_arrays[k]) for k in arrays if k in kept_arrays])
    return problems + ([f"values differ by {worst:.3g}"] if worst > TOLERANCE else []), worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", default="", help="cases whose name contains this")
    arguments = parser.parse_args()

    files, cases, failed = {}, [], 0
    for module in (make_ops, make_ops_more, make_ops_rest, make_layers, make_layers_vision, make_preprocessing, make_audio, make_augmentation_more, make_training):
        for file, functions in module.FILES.items():
            meta, kept = golden.load(golden.HERE / file)
            files[file] = kept
            if meta["sha256"] != golden.meta(module.__file__)["sha256"] or set(kept) != set(functions):
                print(f"{file}: was made by another version of {meta['script']}; run it"), (failed := failed + 1)
            cases += [(file, name, functions[name]) for name in functions if name in kept]
    with np.load(golden.HERE / "preprocessing_more_io.npz") as z:
        files["preprocessing_more.keras"] = {"preprocessing_more": ({}, {k: z[k] for k in z.files if k != "meta"})}
    cases.append(("preprocessing_more.keras", "preprocessing_more", lambda: ({}, make_preprocessing_models.again())))
    for name in make_demo_model.MODELS:
        with np.load(golden.HERE / f"{name}_io.npz") as z:
            files[f"{name}.keras"] = {name: ({}, {k: z[k] for k in z.files if k != "meta"})}
        cases.append((f"{name}.keras", name, lambda name=name: ({}, make_demo_model.again(name))))

    cases = [c for c in cases if arguments.only in c[1]]
    if not arguments.all:
        cases = random.Random(arguments.seed).sample(cases, min(arguments.count, len(cases)))
    print(f"golden-check: {len(cases)} cases, Keras {golden.keras.__version__}, TensorFlow {golden.tf.__version__}, seed {arguments.seed}")
    for file, name, function in cases:
        problems, worst = compare(function(), files[file][name])
        failed += bool(problems)
        if problems or not arguments.all:
            print(f"  {file:18} {name:44} {'; '.join(problems) or f'equal within {worst:.1e}'}")
    print(f"golden-check: {failed} mistakes" if failed else f"golden-check: {len(cases)} cases as recorded")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
