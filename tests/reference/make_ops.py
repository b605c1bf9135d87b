"""Values and gradients of keras.ops, for the tests of src/ops. Run with the Keras of `tools/setup python`: python make_ops.py [FILE...]"""
import json

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw, run

NAN, INF = np.nan, np.inf


def find(op):
    for module in (keras.ops, keras.ops.image, keras.activations):
        if hasattr(module, op):
            return getattr(module, op)
    raise KeyError(op)


def index(x, slices):
    """x[...] as data: a list [begin, end, step] is a slice, a number an index, "new" a new axis, "..." an ellipsis."""
    return x[tuple(slice(*s) if isinstance(s, list) else None if s == "new" else Ellipsis if s == "..." else s for s in slices)]


def slice_update(x, start_indices, updates):
    """keras.ops.slice_update; TensorFlow has no gradient for it, so the tape sees a mask and a padding instead."""
    pads = [[b, n - b - u] for b, n, u in zip(start_indices, x.shape, updates.shape)]
    kept = 1 - keras.ops.pad(keras.ops.ones_like(updates), pads)
    y = x * kept + keras.ops.pad(updates, pads)
    assert np.array_equal(y, keras.ops.slice_update(x, start_indices, updates))
    return y


def pad(x, pad_width, mode, **attrs):
    """keras.ops.pad; Keras on TensorFlow has no mode "edge", so it is made of takes and held against NumPy's."""
    if mode != "edge":
        return keras.ops.pad(x, pad_width, mode=mode, **attrs)
    y = x
    for axis, (before, after) in enumerate(pad_width):
        y = keras.ops.take(y, np.clip(np.arange(-before, x.shape[axis] + after), 0, x.shape[axis] - 1), axis=axis)
    assert np.array_equal(y, np.pad(x, pad_width, "edge"))
    return y


SPECIAL = {"getitem": index, "slice_update": slice_update, "pad": pad, "split": lambda x, **a: keras.ops.split(x, **a), "cast": lambda x, dtype: keras.ops.cast(x, dtype)}


def case(files, file, op, variant, inputs, args=None, variadic=False, gradients=True, **attrs):
    """inputs(draw) gives the input arrays; args names those that are passed by name."""
    name = f"{op}/{variant}"
    cases = files.setdefault(file, {})
    assert name not in cases, name

    def function():
        draw = Draw(name)
        given = [np.asarray(a) for a in inputs(draw)]
        fn = SPECIAL.get(op) or find(op)

        given_attrs = {k: tuple(v) if k == "axis" and isinstance(v, list) else v for k, v in attrs.items()}

        def call(tensors):
            if variadic:
                return fn(tensors, **given_attrs)
            named = dict(zip(args or [], tensors[len(tensors) - len(args or []):]))
            return fn(*tensors[:len(tensors) - len(named)], **named, **given_attrs)

        arrays, outputs = run(draw, call, given, gradients=gradients)
        return {"op": op, "attrs": attrs, "args": args or [], "variadic": variadic, "inputs": len(given), "outputs": outputs}, arrays

    cases[name] = function


FILES = {}


def math_cases():
    def add(op, variant, inputs, **kw):
        case(FILES, "ops_math.npz", op, variant, inputs, **kw)

    shapes = {"same": ((2, 3), (2, 3)), "row": ((4, 5), (5,)), "column": ((3, 4), (3, 1)), "both": ((2, 1, 5), (4, 1)), "scalar": ((), (2, 3)),
              "rank4": ((2, 3, 1, 2), (3, 4, 1)), "long": ((1037,), (1,)), "empty": ((0, 3), (3,))}
    for op in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        for variant, (a, b) in shapes.items():
            if variant == "long" and op not in ("add", "divide"):
                continue
            add(op, variant, lambda d, a=a, b=b: [d.f(*a), d.away(*b)])
        add(op, "float64", lambda d: [d.f(3, 2, dtype="float64"), d.away(2).astype("float64")])
    for op in ("maximum", "minimum"):
        add(op, "ties", lambda d: [np.float32([1, 2, 3]), np.float32([1, 3, 2])])
    for op in ("add", "subtract", "multiply", "maximum", "minimum", "floor_divide", "mod"):
        add(op, "int32", lambda d: [d.i(4, 3), np.where(d.i(3) == 0, 2, d.i(3, low=1, high=4)).astype("int32")])
    for op in ("floor_divide", "mod"):
        add(op, "signs", lambda d: [np.float32([7, -7, 7, -7, 0.5]), np.float32([3, 3, -3, -3, 0.3])], gradients=False)
        add(op, "int_signs", lambda d: [np.int32([7, -7, 7, -7]), np.int32([3, 3, -3, -3])])
    add("divide", "int32", lambda d: [d.i(3, 2), np.int32([2, -3])])
    add("add", "int32_float32", lambda d: [d.i(3, 2), d.f(2)])
    add("add", "uint8_int8", lambda d: [d.i(3, low=0, high=9, dtype="uint8"), d.i(3, dtype="int8")])
    add("add", "float64_float32", lambda d: [d.f(3, dtype="float64"), d.f(3)])
    for variant, (a, b) in {"same": ((2, 3), (2, 3)), "row": ((4, 3), (3,)), "scalar": ((5,), ())}.items():
        add("power", variant, lambda d, a=a, b=b: [d.f(*a, low=0.2, high=3), d.f(*b)])
    add("power", "squares", lambda d: [d.away(5), np.float32(2)])
    add("arctan2", "all_quadrants", lambda d: [d.away(4, 3), d.away(4, 3)])

    for op in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        add(op, "row", lambda d: [d.i(4, 5, low=0, high=3).astype("float32"), d.i(5, low=0, high=3).astype("float32")])
        add(op, "nan", lambda d: [np.float32([NAN, 1, NAN, INF, -0.0]), np.float32([NAN, NAN, 1, INF, 0.0])])
        add(op, "int_float", lambda d: [d.i(3, 2, low=0, high=2), np.float32([0, 1])])
    for op in ("logical_and", "logical_or", "logical_xor"):
        add(op, "row", lambda d: [d.b(4, 5), d.b(5)])
    add("logical_and", "numbers", lambda d: [np.float32([0, 1, -2, NAN]), np.int32([1, 0, 3, 1])])
    add("logical_not", "bool", lambda d: [d.b(7)])
    add("logical_not", "numbers", lambda d: [np.float32([0, -0.0, 2, NAN])])

    positive, unit, any_, large = ({"low": 0.05, "high": 4}, {"low": -0.95, "high": 0.95}, {}, {"low": 1.05, "high": 5})
    unary = {"abs": any_, "negative": any_, "sign": any_, "square": any_, "sqrt": positive, "rsqrt": positive, "reciprocal": positive, "exp": any_, "exp2": any_,
             "expm1": any_, "log": positive, "log2": positive, "log10": positive, "log1p": {"low": -0.9, "high": 5}, "sin": {"low": -9, "high": 9},
             "cos": {"low": -9, "high": 9}, "tan": {"low": -1.4, "high": 1.4}, "arcsin": unit, "arccos": unit, "arctan": {"low": -9, "high": 9}, "sinh": any_,
             "cosh": any_, "tanh": {"low": -4, "high": 4}, "arcsinh": {"low": -9, "high": 9}, "arccosh": large, "arctanh": unit, "erf": any_, "erfinv": unit,
             "floor": {"low": -4, "high": 4}, "ceil": {"low": -4, "high": 4}, "round": {"low": -4, "high": 4}, "trunc": {"low": -4, "high": 4}}
    for op, bounds in unary.items():
        add(op, "matrix", lambda d, bounds=bounds: [d.f(5, 7, **bounds)])
        add(op, "float64", lambda d, bounds=bounds: [d.f(5, dtype="float64", **bounds)])
        add(op, "empty", lambda d: [np.zeros((2, 0), "float32")])
    for op in ("abs", "negative", "square", "sign"):
        add(op, "int32", lambda d: [d.i(6)])
    add("round", "halves", lambda d: [np.float32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])])
    add("abs", "zero", lambda d: [np.float32([-0.0, 0.0, 1, -1])])
    add("exp", "wide", lambda d: [np.float32([-103, -90, -87, -20, -1e-8, 0, 1e-8, 20, 87, 88.5, 89])], gradients=False)
    add("log", "wide", lambda d: [np.float32([1e-38, 1e-20, 0.999999, 1, 1.000001, 1e20, 3e38, INF, 0])], gradients=False)
    add("tanh", "wide", lambda d: [np.float32([-100, -9, -1e-4, 0, 1e-4, 0.6, 9, 100])])
    add("erf", "wide", lambda d: [np.float32([-9, -4, -2, -1e-4, 0, 1e-4, 0.9, 1.1, 2, 4, 9])])
    for op in ("isnan", "isinf", "isfinite"):
        add(op, "mixed", lambda d: [np.float32([0, NAN, INF, -INF, 1e38])])
    add("clip", "inside", lambda d: [d.f(4, 5)], x_min=-0.5, x_max=0.7)
    add("clip", "int32", lambda d: [d.i(8)], x_min=-2, x_max=3)

    edges = np.float32([-100, -20, -3, -2.5, -1, -0.5, -1e-4, 0, 1e-4, 0.5, 1, 2.5, 3, 5.9, 6.1, 20, 100])
    activations = {"relu": {}, "relu6": {}, "leaky_relu": {}, "elu": {}, "selu": {}, "celu": {}, "gelu": {}, "silu": {}, "softplus": {}, "softsign": {}, "sigmoid": {},
                   "hard_sigmoid": {}, "hard_silu": {}, "hard_tanh": {}, "log_sigmoid": {}, "mish": {}, "tanh_shrink": {}, "soft_shrink": {}, "hard_shrink": {},
                   "squareplus": {}, "sparse_plus": {}}
    for op in activations:
        add(op, "matrix", lambda d: [d.f(6, 11) * np.float32(2)])
        # The kink of each function gets a value; its gradient there is a convention and is asked for relu alone.
        add(op, "edges", lambda d: [edges], gradients=op in ("relu", "elu", "silu", "softplus", "sigmoid", "gelu", "log_sigmoid"))
        if op in ("relu", "gelu", "silu", "softplus", "sigmoid", "elu"):
            add(op, "float64", lambda d: [d.f(7, dtype="float64")])
    add("gelu", "exact", lambda d: [d.f(6, 11) * np.float32(2)], approximate=False)
    add("gelu", "exact_edges", lambda d: [edges], approximate=False)
    add("leaky_relu", "slope", lambda d: [d.f(9)], negative_slope=0.05)
    add("elu", "alpha", lambda d: [d.f(9)], alpha=0.4)
    add("celu", "alpha", lambda d: [d.f(9)], alpha=0.4)
    add("threshold", "plain", lambda d: [d.f(9)], threshold=0.3, default_value=-1.0)

    add("where", "same", lambda d: [d.b(3, 4), d.f(3, 4), d.f(3, 4)])
    add("where", "broadcast", lambda d: [d.b(3, 1), d.f(4), d.f(2, 1, 1)])
    add("where", "int_float", lambda d: [d.b(4), d.i(4), d.f(4)])
    add("where", "empty", lambda d: [d.b(0, 4), d.f(0, 4), d.f(4)])
    for dtype in ("int32", "int64", "bool", "float64", "float16", "bfloat16", "int8"):
        add("cast", f"float32_{dtype}", lambda d: [np.float32([-3.7, -1.5, -0.4, 0, 0.49999, 1.5, 2.5, 100.7])], gradients=dtype in ("float64", "float16"), dtype=dtype)
    for source in ("int32", "uint8", "bool", "int64", "float64", "float16"):
        add("cast", f"{source}_float32", lambda d, source=source: [np.array([0, 1, 1, 0, 1] if source == "bool" else [0, 1, 2, 100, 127]).astype(source)], dtype="float32")
    add("cast", "int32_uint8", lambda d: [np.int32([0, 1, 255, 256, 300, -1])], dtype="uint8")


def reduce_cases():
    def add(op, variant, inputs, **kw):
        case(FILES, "ops_reduce.npz", op, variant, inputs, **kw)

    axes = {"all": {"axis": None}, "first": {"axis": 0}, "last": {"axis": -1}, "middle": {"axis": 1}, "two": {"axis": [0, 2]}, "kept": {"axis": 1, "keepdims": True},
            "two_kept": {"axis": [1, 2], "keepdims": True}, "all_kept": {"axis": None, "keepdims": True}}
    for op in ("sum", "mean", "max", "min", "prod", "var", "std", "logsumexp"):
        for variant, attrs in axes.items():
            add(op, variant, lambda d: [d.distinct(3, 4, 5)], **attrs)
        add(op, "float64", lambda d: [d.f(3, 4, dtype="float64")], axis=1)
        add(op, "scalar", lambda d: [d.f()], axis=None, gradients=op != "std")
    for op in ("sum", "mean", "max", "logsumexp"):
        add(op, "long", lambda d: [d.f(2, 1037)], axis=1)
        add(op, "rank4", lambda d: [d.distinct(2, 3, 4, 5)], axis=[1, 2])
    for op in ("sum", "prod"):
        add(op, "empty_axis", lambda d: [np.zeros((2, 0, 3), "float32")], axis=1)
        add(op, "empty_result", lambda d: [np.zeros((0, 3), "float32")], axis=1)
    for op in ("sum", "mean", "max", "min", "prod"):
        add(op, "int32", lambda d: [d.i(3, 4)], axis=0)
    add("sum", "bool", lambda d: [d.b(3, 4)], axis=1)
    add("max", "ties", lambda d: [np.float32([[1, 3, 3], [2, 2, 2]])], axis=1)
    for op in ("any", "all"):
        for variant, attrs in {k: axes[k] for k in ("all", "first", "last", "two", "kept")}.items():
            add(op, variant, lambda d: [d.rng.uniform(size=(3, 4, 5)) < (0.15 if op == "any" else 0.85)], **attrs)
        add(op, "empty_axis", lambda d: [np.zeros((2, 0), bool)], axis=1)
    for op in ("cumsum", "cumprod"):
        for variant, axis in {"first": 0, "middle": 1, "last": -1}.items():
            add(op, variant, lambda d: [d.away(3, 4, 5, low=0.4, high=1.6)], axis=axis)
    add("cumsum", "int32", lambda d: [d.i(7)], axis=0)
    add("cumsum", "empty", lambda d: [np.zeros((0, 3), "float32")], axis=0)
    for op in ("argmax", "argmin"):
        for variant, attrs in {"all": {"axis": None}, "first": {"axis": 0}, "last": {"axis": -1}, "kept": {"axis": 1, "keepdims": True}}.items():
            add(op, variant, lambda d: [d.distinct(3, 4, 5)], **attrs)
        add(op, "ties", lambda d: [np.float32([[1, 3, 3, 1], [2, 2, 2, 2]])], axis=1)
        add(op, "int32", lambda d: [d.i(3, 4)], axis=1)


def shape_cases():
    def add(op, variant, inputs, **kw):
        case(FILES, "ops_shape.npz", op, variant, inputs, **kw)

    add("transpose", "matrix", lambda d: [d.f(3, 4)])
    for axes in ([1, 0, 2], [2, 0, 1], [0, 2, 1], [2, 1, 0]):
        add("transpose", "axes" + "".join(map(str, axes)), lambda d: [d.f(2, 3, 4)], axes=axes)
    for axes in ([0, 3, 1, 2], [0, 2, 3, 1], [3, 1, 0, 2]):
        add("transpose", "axes" + "".join(map(str, axes)), lambda d: [d.f(2, 3, 4, 5)], axes=axes)
    add("transpose", "int32", lambda d: [d.i(5, 3)])
    add("transpose", "empty", lambda d: [d.f(0, 3)])
    add("reshape", "flat", lambda d: [d.f(2, 3, 4)], newshape=[-1])
    add("reshape", "inferred", lambda d: [d.f(2, 3, 4)], newshape=[4, -1])
    add("reshape", "empty", lambda d: [d.f(0, 4)], newshape=[2, 0])
    add("expand_dims", "front", lambda d: [d.f(2, 3)], axis=0)
    add("expand_dims", "back", lambda d: [d.f(2, 3)], axis=-1)
    add("squeeze", "all", lambda d: [d.f(1, 3, 1)])
    add("squeeze", "one", lambda d: [d.f(1, 3, 1)], axis=0)
    add("broadcast_to", "rows", lambda d: [d.f(3, 1)], shape=[2, 3, 4])
    for axis in (0, 1, -1):
        add("concatenate", f"axis{axis}", lambda d, axis=axis: [d.f(*[n if k == axis % 3 else m for k, m in enumerate((2, 3, 4))]) for n in (1, 3, 2)], variadic=True, axis=axis)
        add("stack", f"axis{axis}", lambda d: [d.f(2, 3) for _ in range(3)], variadic=True, axis=axis)
    add("concatenate", "empty_part", lambda d: [d.f(2, 3), d.f(2, 0), d.f(2, 1)], variadic=True, axis=1)
    add("concatenate", "promotes", lambda d: [d.i(2, 3), d.f(2, 1)], variadic=True, axis=1)
    add("split", "equal", lambda d: [d.f(6, 4)], indices_or_sections=3, axis=0)
    add("split", "at", lambda d: [d.f(2, 7)], indices_or_sections=[2, 3], axis=1)
    add("unstack", "last", lambda d: [d.f(2, 3)], axis=1)
    add("slice", "inner", lambda d: [d.f(4, 5)], start_indices=[1, 2], shape=[2, 3])
    add("slice", "rank3", lambda d: [d.f(4, 5, 3)], start_indices=[0, 4, 1], shape=[4, 1, 2])
    add("slice", "nothing", lambda d: [d.f(4, 5)], start_indices=[1, 2], shape=[0, 3])
    for variant, slices in {"step": [[1, 8, 3], [None, None, 2]], "reverse": [[None, None, -1]], "index": [2], "mixed": ["...", -1, "new"], "tail": [[-3, None, None]],
                            "reverse_step": [[7, 1, -2], 3]}.items():
        add("getitem", variant, lambda d: [d.f(9, 5)], slices=slices)
    add("slice_update", "inner", lambda d: [d.f(4, 5), d.f(2, 3)], args=["updates"], start_indices=[1, 2])
    add("slice_update", "row", lambda d: [d.f(4, 5), d.f(1, 5)], args=["updates"], start_indices=[3, 0])
    add("slice_update", "int32", lambda d: [d.i(6), d.i(2)], args=["updates"], start_indices=[1])
    add("take", "rows", lambda d: [d.f(5, 3), np.int32([4, 0, 0, 2])], axis=0)
    add("take", "columns", lambda d: [d.f(5, 3), np.int32([[2, 0], [1, 1]])], axis=1)
    add("take", "flat", lambda d: [d.f(5, 3), np.int32([14, 0, 7])], axis=None)
    add("take", "negative", lambda d: [d.f(5, 3), np.int32([-1, -5])], axis=0)
    add("take", "int64_indices", lambda d: [d.f(5, 3), np.int64([1, 3])], axis=-2)
    add("take", "none", lambda d: [d.f(5, 3), np.zeros((0,), "int32")], axis=0)
    add("take_along_axis", "last", lambda d: [d.f(3, 4), d.i(3, 2, low=0, high=4)], axis=1)
    add("take_along_axis", "first", lambda d: [d.f(3, 4), d.i(2, 4, low=0, high=3)], axis=0)
    add("take_along_axis", "broadcast", lambda d: [d.f(3, 4), d.i(1, 2, low=-4, high=4)], axis=1)
    add("tile", "twice", lambda d: [d.f(2, 3)], repeats=[2, 3])
    add("tile", "more_axes", lambda d: [d.f(3)], repeats=[2, 1, 2])
    add("tile", "fewer_axes", lambda d: [d.f(2, 3)], repeats=[2])
    add("tile", "zero", lambda d: [d.f(2, 3)], repeats=[0, 1])
    add("repeat", "axis", lambda d: [d.f(2, 3)], repeats=2, axis=1)
    add("flip", "axis", lambda d: [d.f(2, 3)], axis=1)
    for mode in ("constant", "reflect", "symmetric", "edge"):
        add("pad", mode, lambda d: [d.f(3, 4)], pad_width=[[1, 2], [0, 3]], mode=mode)
        add("pad", f"{mode}_rank4", lambda d: [d.f(2, 3, 3, 2)], pad_width=[[0, 0], [1, 1], [2, 1], [0, 0]], mode=mode)
    add("pad", "value", lambda d: [d.f(2, 2)], pad_width=[[0, 1], [1, 0]], mode="constant", constant_values=-1.5)
    add("pad", "int32", lambda d: [d.i(3)], pad_width=[[2, 1]], mode="constant")
    add("pad", "empty", lambda d: [d.f(0, 2)], pad_width=[[1, 0], [0, 1]], mode="constant")
    add("one_hot", "plain", lambda d: [np.int32([0, 2, 1])], num_classes=4)
    add("one_hot", "outside", lambda d: [np.int32([-1, 4, 3])], num_classes=4)
    add("one_hot", "axis0", lambda d: [np.int32([[0, 2], [1, 1]])], num_classes=3, axis=0)
    add("one_hot", "int32", lambda d: [np.int64([0, 2])], num_classes=3, dtype="int32")
    for op in ("triu", "tril"):
        add(op, "plain", lambda d: [d.f(3, 4)], k=1)


def nn_cases():
    def add(op, variant, inputs, **kw):
        case(FILES, "ops_nn.npz", op, variant, inputs, **kw)

    shapes = {"matrix": ((3, 4), (4, 5)), "vector_right": ((3, 4), (4,)), "vector_left": ((4,), (4, 5)), "dot": ((4,), (4,)), "batch": ((2, 3, 4), (2, 4, 5)),
              "broadcast": ((2, 1, 3, 4), (5, 4, 2)), "shared": ((2, 3, 4), (4, 5)), "odd": ((17, 13), (13, 19)), "empty_rows": ((0, 4), (4, 5)),
              "empty_inner": ((3, 0), (0, 5)), "one": ((1, 1), (1, 1))}
    for variant, (a, b) in shapes.items():
        add("matmul", variant, lambda d, a=a, b=b: [d.f(*a), d.f(*b)])
    add("matmul", "float64", lambda d: [d.f(3, 4, dtype="float64"), d.f(4, 2, dtype="float64")])
    add("matmul", "int32", lambda d: [d.i(3, 4), d.i(4, 2)])
    add("matmul", "promotes", lambda d: [d.i(3, 4), d.f(4, 2)])
    # transposed operands, as keras.ops.einsum: what matmul's transpose flags must equal
    for variant, spec, a, b in (("transposed_b", "ij,kj->ik", (3, 4), (5, 4)), ("transposed_a", "ji,jk->ik", (4, 3), (4, 5)), ("transposed_both", "ji,kj->ik", (4, 3), (5, 4)),
                                ("batch_transposed_b", "bij,bkj->bik", (2, 3, 4), (2, 5, 4)), ("batch_transposed_a", "bji,bjk->bik", (2, 4, 3), (2, 4, 5))):
        name = f"matmul_transposed/{variant}"

        def function(name=name, spec=spec, a=a, b=b, variant=variant):
            d = Draw(name)
            arrays, outputs = run(d, lambda t: keras.ops.einsum(spec, *t), [d.f(*a), d.f(*b)])
            flags = {"transpose_a": variant.endswith(("_a", "_both")), "transpose_b": variant.endswith(("_b", "_both"))}
            return {"op": "matmul_transposed", "attrs": flags, "args": [], "variadic": False, "inputs": 2, "outputs": outputs}, arrays

        FILES["ops_nn.npz"][name] = function

    convs = {"valid": ((2, 7, 6, 3), (3, 3, 3, 4), {}), "same": ((2, 7, 6, 3), (3, 3, 3, 4), {"padding": "same"}), "stride2_same": ((1, 8, 7, 2), (3, 3, 2, 3), {"strides": 2, "padding": "same"}),
             "stride2_valid": ((1, 8, 7, 2), (3, 2, 2, 3), {"strides": 2}), "stride_mixed": ((1, 9, 8, 2), (3, 3, 2, 2), {"strides": [3, 1], "padding": "same"}),
             "even_kernel_same": ((1, 6, 5, 2), (2, 4, 2, 3), {"padding": "same"}), "dilation_same": ((1, 9, 8, 2), (3, 3, 2, 3), {"padding": "same", "dilation_rate": 2}),
             "dilation_valid": ((1, 9, 8, 2), (3, 2, 2, 3), {"dilation_rate": [2, 3]}), "groups2": ((2, 6, 5, 4), (3, 3, 2, 6), {"padding": "same"}),
             "groups_stride": ((1, 7, 7, 6), (3, 3, 2, 3), {"strides": 2, "padding": "same"}), "pointwise": ((2, 4, 3, 5), (1, 1, 5, 7), {}),
             "pointwise_stride": ((1, 5, 5, 3), (1, 1, 3, 4), {"strides": 2}), "one_channel": ((1, 9, 9, 1), (5, 5, 1, 2), {"strides": 2, "padding": "same"}),
             "whole_image": ((2, 4, 4, 2), (4, 4, 2, 3), {}), "wide": ((1, 5, 5, 17), (3, 3, 17, 19), {"padding": "same"}), "no_images": ((0, 5, 5, 2), (3, 3, 2, 3), {"padding": "same"})}
    for variant, (x, k, attrs) in convs.items():
        add("conv", variant, lambda d, x=x, k=k: [d.f(*x), d.f(*k)], gradients=variant != "no_images", **attrs)
    add("conv", "float64", lambda d: [d.f(1, 5, 4, 2, dtype="float64"), d.f(3, 3, 2, 2, dtype="float64")], padding="same")
    depthwise = {"valid": ((2, 6, 5, 3), (3, 3, 3, 1), {}), "same": ((2, 6, 5, 3), (3, 3, 3, 1), {"padding": "same"}), "multiplier": ((1, 6, 5, 2), (3, 2, 2, 3), {"padding": "same"}),
                 "stride2_same": ((1, 8, 7, 3), (3, 3, 3, 1), {"strides": 2, "padding": "same"}), "stride2_valid": ((1, 8, 7, 3), (3, 3, 3, 2), {"strides": 2}),
                 "dilation": ((1, 9, 9, 2), (3, 3, 2, 1), {"dilation_rate": 2, "padding": "same"}), "wide": ((1, 5, 5, 19), (3, 3, 19, 1), {"padding": "same"})}
    for variant, (x, k, attrs) in depthwise.items():
        add("depthwise_conv", variant, lambda d, x=x, k=k: [d.f(*x), d.f(*k)], **attrs)
    pools = {"valid": {"pool_size": 2}, "same": {"pool_size": 2, "padding": "same"}, "overlap_same": {"pool_size": 3, "strides": 2, "padding": "same"},
             "overlap_valid": {"pool_size": 3, "strides": 2}, "mixed": {"pool_size": [2, 3], "strides": [1, 2], "padding": "same"}, "dense": {"pool_size": 3, "strides": 1, "padding": "same"}}
    for op in ("max_pool", "average_pool"):
        for variant, attrs in pools.items():
            add(op, variant, lambda d: [d.distinct(2, 7, 6, 3)], **attrs)
        add(op, "wide", lambda d: [d.distinct(1, 4, 4, 19)], pool_size=2)
    add("max_pool", "negative_same", lambda d: [-np.abs(d.distinct(1, 5, 5, 1)) - 1], pool_size=2, padding="same")
    add("max_pool", "ties", lambda d: [np.ones((1, 4, 4, 1), "float32")], pool_size=2)

    for variant, (shape, axis) in {"image": ((2, 3, 4, 5), -1), "matrix": ((6, 3), -1), "channels_first": ((2, 3, 4, 5), 1)}.items():
        stats = lambda d, shape=shape, axis=axis: [d.f(*shape), d.f(shape[axis]), d.f(shape[axis], low=0.3, high=2), d.f(shape[axis]), d.f(shape[axis])]
        add("batch_normalization", variant, stats, args=["mean", "variance", "offset", "scale"], axis=axis)
    add("batch_normalization", "plain", lambda d: [d.f(4, 3), d.f(3), d.f(3, low=0.3, high=2)], args=["mean", "variance"], axis=-1, epsilon=0.01)
    add("layer_normalization", "last", lambda d: [d.f(3, 4, 5), d.f(5), d.f(5)], args=["gamma", "beta"], axis=-1, epsilon=0.001)
    add("layer_normalization", "two_axes", lambda d: [d.f(3, 4, 5), d.f(4, 5), d.f(4, 5)], args=["gamma", "beta"], axis=[-2, -1], epsilon=0.001)
    add("layer_normalization", "plain", lambda d: [d.f(3, 7)], axis=-1)
    add("moments", "rows", lambda d: [d.f(4, 5)], axes=[0])
    add("moments", "image", lambda d: [d.f(2, 3, 4, 5)], axes=[0, 1, 2], keepdims=True)
    for op in ("softmax", "log_softmax"):
        for variant, (shape, axis) in {"last": ((3, 7), -1), "first": ((3, 7), 0), "middle": ((2, 3, 4), 1), "two": ((2, 3, 4), [1, 2]), "vector": ((9,), -1), "one": ((4, 1), -1)}.items():
            if op == "log_softmax" and variant == "two":
                continue
            add(op, variant, lambda d, shape=shape: [d.f(*shape) * np.float32(3)], axis=axis)
        add(op, "large", lambda d: [np.float32([[1000, 1001, 999], [-1000, 0, 1000]])], axis=-1)
        add(op, "float64", lambda d: [d.f(2, 5, dtype="float64")], axis=-1)

    logits = lambda d, *s: d.f(*s) * np.float32(3)
    probabilities = lambda d, *s: d.f(*s, low=0.02, high=0.98)
    for variant, flag, values in (("logits", True, logits), ("probabilities", False, probabilities)):
        add("binary_crossentropy", variant, lambda d, values=values: [d.b(4, 3).astype("float32"), values(d, 4, 3)], from_logits=flag)
        add("binary_crossentropy", f"{variant}_soft", lambda d, values=values: [d.f(5, low=0, high=1), values(d, 5)], from_logits=flag)
        add("categorical_crossentropy", variant, lambda d, values=values: [np.eye(5, dtype="float32")[d.i(4, low=0, high=5)], values(d, 4, 5)], from_logits=flag)
        add("categorical_crossentropy", f"{variant}_soft", lambda d, values=values: [d.f(4, 5, low=0, high=0.4), values(d, 4, 5)], from_logits=flag)
        add("categorical_crossentropy", f"{variant}_axis1", lambda d, values=values: [d.f(2, 3, 4, low=0, high=0.4), values(d, 2, 3, 4)], from_logits=flag, axis=1)
        add("sparse_categorical_crossentropy", variant, lambda d, values=values: [d.i(4, low=0, high=5), values(d, 4, 5)], from_logits=flag)
        add("sparse_categorical_crossentropy", f"{variant}_rank3", lambda d, values=values: [d.i(2, 3, low=0, high=5), values(d, 2, 3, 5)], from_logits=flag)
    add("binary_crossentropy", "clipped", lambda d: [np.float32([1, 0, 1, 0]), np.float32([0, 1, 1, 0])], from_logits=False)
    add("binary_crossentropy", "large_logits", lambda d: [np.float32([1, 0, 1, 0]), np.float32([-90, 90, 90, -90])], from_logits=True)
    add("categorical_crossentropy", "clipped", lambda d: [np.eye(3, dtype="float32"), np.float32([[0, 1, 0], [0, 1, 0], [0.5, 0.5, 1]])], from_logits=False)
    add("sparse_categorical_crossentropy", "clipped", lambda d: [np.int32([0, 1, 2]), np.float32([[0, 1, 0], [0, 1, 0], [0.5, 0.5, 1]])], from_logits=False)


def image_cases():
    def add(op, variant, inputs, **kw):
        case(FILES, "ops_image.npz", op, variant, inputs, **kw)

    sizes = {"down": (3, 4), "up": (11, 13), "half": (4, 5), "double": (16, 20), "same": (8, 10), "mixed": (5, 15), "one": (1, 1)}
    for interpolation in ("bilinear", "nearest"):
        for antialias in (False, True):
            for variant, size in sizes.items():
                add("resize", f"{interpolation}{'_antialias' if antialias else ''}_{variant}", lambda d: [d.f(2, 8, 10, 2)], size=size, interpolation=interpolation,
                    antialias=antialias)
        add("resize", f"{interpolation}_rank3", lambda d: [d.f(5, 6, 3)], size=[7, 4], interpolation=interpolation)
        add("resize", f"{interpolation}_uint8", lambda d: [d.i(1, 5, 6, 3, low=0, high=256, dtype="uint8")], size=[7, 4], interpolation=interpolation)
        add("resize", f"{interpolation}_from_one", lambda d: [d.f(1, 1, 1, 2)], size=[3, 2], interpolation=interpolation)


math_cases(), reduce_cases(), shape_cases(), nn_cases(), image_cases()


def promotion():
    """Keras' result types, asked of its symbolic tensors: for every pair of types, and with Python numbers."""
    types = ["float32", "float64", "bfloat16", "float16", "int8", "uint8", "int16", "int32", "int64", "uint32", "bool"]
    ops, one = keras.ops, {t: keras.KerasTensor((1,), dtype=t) for t in types}
    pairs = {name: {a: {b: fn(one[a], one[b]).dtype for b in types} for a in types} for name, fn in
             (("add", ops.add), ("divide", ops.divide), ("power", ops.power), ("matmul", ops.matmul), ("where", lambda a, b: ops.where(True, a, b)))}
    numbers = {f"add_python_{type(n).__name__}": {a: ops.add(one[a], n).dtype for a in types} for n in (1, 1.0)}
    single = {name: {a: getattr(ops, name)(one[a]).dtype for a in types} for name in ("exp", "sum", "mean", "prod", "cumsum", "argmax", "max", "softmax")}
    for a in types:  # where TensorFlow can compute it, the real result has the symbolic one's type
        for b in types:
            if (a, b) != ("bool", "bool"):
                real = ops.add(ops.ones((1,), dtype=a), ops.ones((1,), dtype=b))
                assert keras.backend.standardize_dtype(real.dtype) == pairs["add"][a][b], (a, b)
    return {**pairs, **numbers, **single}


if __name__ == "__main__":
    golden.make(__file__, FILES)
    (golden.HERE / "promotion.json").write_text(json.dumps({"meta": golden.meta(__file__), **promotion()}, indent=1) + "\n")
