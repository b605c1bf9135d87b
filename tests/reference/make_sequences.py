"""Values and gradients of recurrent and attention layers and of masks, for the tests of src/nn. Run with the Keras of `tools/setup python`."""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw, run

L = keras.layers


def case(name, layer, inputs, kwargs=lambda d: {}, training=False, calls=1, shapes=None):
    """layer(): a new layer; inputs(draw): its arrays; kwargs(draw): arguments of the call, arrays or lists of arrays or flags."""
    assert name not in CASES, name

    def function():
        draw = Draw(name)
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        made, arrays_in, options = layer(), [np.asarray(a) for a in inputs(draw)], kwargs(draw)
        apart = isinstance(made, (L.MultiHeadAttention, L.GroupQueryAttention))
        take = (lambda t: t) if apart else (lambda t: [t]) if len(arrays_in) == 1 else (lambda t: [t])
        one = (lambda t: list(t)) if apart else (lambda t: [t[0]]) if len(arrays_in) == 1 else (lambda t: [list(t)])
        made(*one([keras.ops.convert_to_tensor(a) for a in arrays_in]), **options)  # builds
        for weight in made.weights:
            weight.assign(draw.rng.normal(0, 0.5, weight.shape).astype("float32"))
        if getattr(made, "stateful", False):
            made.reset_state()
        for _ in range(calls - 1):
            made(*one([keras.ops.convert_to_tensor(a) for a in arrays_in]), training=training, **options)
        before = {f"w{k}": np.asarray(w) for k, w in enumerate(made.weights)}
        # Stateful layers change with the call: the recorded one is the only further one.
        arrays, outputs = run(draw, lambda t: made(*one(t), training=training, **options), arrays_in, extra=[w.value for w in made.trainable_weights])
        extra, call = {}, {}
        for key, value in options.items():
            if isinstance(value, (bool, int)):
                call[key] = value
            elif isinstance(value, list):
                call[key] = [None if v is None else f"{key}{i}" for i, v in enumerate(value)]
                extra.update({f"{key}{i}": np.asarray(v) for i, v in enumerate(value) if v is not None})
            else:
                call[key] = key
                extra[key] = np.asarray(value)
        entry = {"layer": type(made).__name__ if type(made).__name__ != "GroupedQueryAttention" else "GroupQueryAttention", "config": golden.plain(made.get_config()), "training": training, "outputs": outputs, "calls": calls,
                 "weights": [w.path.split("/", 1)[1] for w in made.weights], "call": call}
        return entry, {**arrays, **before, **extra}

    CASES[name] = function


CASES = {}
FILES = {"sequences.npz": CASES}


def x(d, batch=2, time=5, features=3):
    return [d.f(batch, time, features)]


def mask(d, batch=2, time=5):
    m = np.ones((batch, time), bool)
    m[0, 3:] = False
    m[1, 0] = m[1, 2] = False
    return m


def recurrent():
    for name in ("SimpleRNN", "LSTM", "GRU"):
        C = getattr(L, name)
        n = 2 if name == "LSTM" else 1
        state = lambda d, n=n, u=4: [d.f(2, u) for _ in range(n)]
        case(f"{name}/last", lambda C=C: C(4), x)
        case(f"{name}/sequences", lambda C=C: C(4, return_sequences=True), x)
        case(f"{name}/state", lambda C=C: C(4, return_sequences=True, return_state=True), x)
        case(f"{name}/backwards", lambda C=C: C(4, go_backwards=True, return_sequences=True), x)
        case(f"{name}/initial_state", lambda C=C: C(4, return_state=True), x, lambda d, state=state: {"initial_state": state(d)})
        case(f"{name}/mask", lambda C=C: C(4, return_sequences=True, return_state=True), x, lambda d: {"mask": mask(d)})
        case(f"{name}/mask_last", lambda C=C: C(4), x, lambda d: {"mask": mask(d)})
        case(f"{name}/mask_state", lambda C=C: C(4, return_sequences=True), x, lambda d, state=state: {"mask": mask(d), "initial_state": state(d)})
        case(f"{name}/mask_zero", lambda C=C: C(4, return_sequences=True, return_state=True, zero_output_for_mask=True), x, lambda d: {"mask": mask(d)})
        case(f"{name}/mask_backwards", lambda C=C: C(4, return_sequences=True, go_backwards=True), x, lambda d: {"mask": mask(d)})
        case(f"{name}/no_bias", lambda C=C: C(4, use_bias=False), x)
        case(f"{name}/activation", lambda C=C: C(4, activation="softsign", return_sequences=True), x, lambda d: {"mask": mask(d)})
        case(f"{name}/relu", lambda C=C: C(4, activation="relu", return_sequences=True), x)
        case(f"{name}/stateful", lambda C=C: C(4, stateful=True), x, calls=3)
        case(f"{name}/unroll", lambda C=C: C(4, unroll=True), x)
        case(f"{name}/wide", lambda C=C: C(19), lambda d: x(d, 7, 11, 13))
        case(f"{name}/one_step", lambda C=C: C(3, return_sequences=True), lambda d: x(d, 2, 1, 3))
        case(f"{name}/float64", lambda C=C: C(3, dtype="float64"), lambda d: [d.f(2, 4, 3, dtype="float64")])
    for name in ("LSTM", "GRU"):
        case(f"{name}/hard_sigmoid", lambda name=name: getattr(L, name)(4, recurrent_activation="hard_sigmoid"), x)
    for variant, options in {"last": {}, "mask": {"m": 1}, "backwards": dict(go_backwards=True), "no_bias": dict(use_bias=False)}.items():
        masked = options.pop("m", 0)
        case(f"GRU/before_{variant}", lambda options=options: L.GRU(4, reset_after=False, return_sequences=True, **options), x, (lambda d: {"mask": mask(d)}) if masked else lambda d: {})
    cells = lambda: [L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(2)]
    case("RNN/lstm_cell", lambda: L.RNN(L.LSTMCell(4), return_sequences=True, return_state=True), x)
    case("RNN/gru_cell", lambda: L.RNN(L.GRUCell(4, reset_after=False)), x, lambda d: {"mask": mask(d)})
    case("RNN/stacked", lambda: L.RNN(cells(), return_sequences=True, return_state=True), x)
    case("RNN/stacked_mask", lambda: L.RNN(L.StackedRNNCells(cells()), return_sequences=True), x, lambda d: {"mask": mask(d)})
    for mode in ("concat", "sum", "mul", "ave", None):
        case(f"Bidirectional/{mode}", lambda mode=mode: L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode=mode), x)
    case("Bidirectional/last", lambda: L.Bidirectional(L.GRU(3)), x)
    case("Bidirectional/mask", lambda: L.Bidirectional(L.GRU(3, return_sequences=True)), x, lambda d: {"mask": mask(d)})
    case("Bidirectional/mask_last", lambda: L.Bidirectional(L.LSTM(3)), x, lambda d: {"mask": mask(d)})
    case("Bidirectional/state", lambda: L.Bidirectional(L.LSTM(3, return_state=True)), x, lambda d: {"initial_state": [d.f(2, 3) for _ in range(4)]})
    case("Bidirectional/two_layers", lambda: L.Bidirectional(L.LSTM(3), backward_layer=L.GRU(3, go_backwards=True)), x)
    case("TimeDistributed/dense", lambda: L.TimeDistributed(L.Dense(4, activation="tanh")), x)
    case("TimeDistributed/norm", lambda: L.TimeDistributed(L.BatchNormalization()), lambda d: x(d, 6, 3, 4), training=True)
    case("TimeDistributed/lstm", lambda: L.TimeDistributed(L.LSTM(3)), lambda d: [d.f(2, 3, 4, 5)])
    case("Masking/zero", lambda: L.Masking(), lambda d: [d.f(2, 3, 2) * np.float32([[[1], [0], [1]], [[0], [1], [1]]])])
    case("BatchNormalization/mask", lambda: L.BatchNormalization(), lambda d: x(d, 4, 5, 3), lambda d: {"mask": mask(d, 4, 5)}, training=True)
    case("Softmax/mask", lambda: L.Softmax(), lambda d: [d.f(2, 5)], lambda d: {"mask": np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)})


def attention():
    for equation, shape, bias in (("abc,cd->abd", (None, 4), "d"), ("abc,cde->abde", (None, 2, 4), "de"), ("abc,cde->abde", (None, 2, 4), "d"), ("abc,cd->abd", (5, 4), "bd"),
                                  ("abc,cd->abd", (None, 4), None), ("...x,xy->...y", 4, "y"), ("ab...,bc->ac...", 4, "c"), ("abc,bd->adc", (4, None), "d"), ("abc,abd->acd", (None, 4), "d")):
        batch = 2 if equation != "abc,abd->acd" else 2
        case(f"EinsumDense/{equation}/{bias}", lambda e=equation, s=shape, b=bias: L.EinsumDense(e, output_shape=s, bias_axes=b, activation="tanh"), lambda d: x(d, batch))
    qv = lambda d: [d.f(2, 4, 6), d.f(2, 5, 6)]
    qvk = lambda d: [d.f(2, 4, 6), d.f(2, 5, 7), d.f(2, 5, 3)]
    qm, vm = np.array([[1, 1, 1, 0], [1, 0, 1, 1]], bool), np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], bool)
    am = lambda d: d.b(2, 4, 5)
    scores = {"return_attention_scores": True}
    for name, C in (("MultiHeadAttention", lambda **k: L.MultiHeadAttention(2, 3, **k)), ("GroupQueryAttention", lambda **k: L.GroupQueryAttention(3, 4, 2, **k))):
        case(f"{name}/plain", lambda C=C: C(), qv)
        case(f"{name}/scores", lambda C=C: C(), qv, lambda d: dict(scores))
        case(f"{name}/key", lambda C=C: C(), qvk)
        case(f"{name}/causal", lambda C=C: C(), qv, lambda d: {"use_causal_mask": True, **scores})
        case(f"{name}/masks", lambda C=C: C(), qv, lambda d: {"query_mask": qm, "value_mask": vm, **scores})
        case(f"{name}/key_mask", lambda C=C: C(), qvk, lambda d: {"key_mask": vm})
        case(f"{name}/attention_mask", lambda C=C: C(), qv, lambda d: {"attention_mask": am(d), **scores})
        case(f"{name}/all_masks", lambda C=C: C(), qv, lambda d: {"attention_mask": am(d), "value_mask": vm, "use_causal_mask": True, **scores})
        case(f"{name}/no_bias", lambda C=C: C(use_bias=False), qv)
        case(f"{name}/window", lambda C=C: C(sliding_window=2), lambda d: [d.f(2, 5, 6), d.f(2, 5, 6)], lambda d: dict(scores))
        case(f"{name}/gate", lambda C=C: C(use_gate=True), qv)
    case("MultiHeadAttention/value_dim", lambda: L.MultiHeadAttention(2, 3, value_dim=5, output_shape=4), qv)
    case("MultiHeadAttention/output_shape", lambda: L.MultiHeadAttention(2, 3, output_shape=(2, 5)), qv)
    case("MultiHeadAttention/axes", lambda: L.MultiHeadAttention(2, 3, attention_axes=(1, 2)), lambda d: [d.f(2, 2, 3, 4), d.f(2, 3, 2, 4)], lambda d: dict(scores))
    case("MultiHeadAttention/one_axis", lambda: L.MultiHeadAttention(2, 3, attention_axes=(2,)), lambda d: [d.f(2, 2, 3, 4), d.f(2, 2, 5, 4)])
    for name, C in (("Attention/dot", lambda: L.Attention()), ("Attention/scale", lambda: L.Attention(use_scale=True)), ("Attention/concat", lambda: L.Attention(score_mode="concat")),
                    ("Attention/concat_scale", lambda: L.Attention(score_mode="concat", use_scale=True)), ("AdditiveAttention/scale", lambda: L.AdditiveAttention()),
                    ("AdditiveAttention/plain", lambda: L.AdditiveAttention(use_scale=False))):
        case(f"{name}", C, qv)
        case(f"{name}_key", C, lambda d: [d.f(2, 4, 6), d.f(2, 5, 7), d.f(2, 5, 6)])
        case(f"{name}_causal", C, qv, lambda d: {"use_causal_mask": True, **scores})
        case(f"{name}_masks", C, qv, lambda d: {"mask": [qm, vm], **scores})
        case(f"{name}_value_mask", C, qv, lambda d: {"mask": [None, vm]})


recurrent(), attention()

if __name__ == "__main__":
    golden.make(__file__, FILES)
