"""Optimizer trajectories, losses, accuracy and whole fits, for the tests of src/nn. Run: python make_training.py"""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np
import tensorflow as tf

from golden import Draw

CASES = {}
FILES = {"training.npz": CASES}


def optimizer_case(name, optimizer, steps=5):
    """Two variables, given gradients; arrays: start<v>, grad<step>_<v>, value<step>_<v> after the step, then state<k> (optimizer.variables) at the end."""
    key = f"optimizer/{name}"

    def function():
        keras.utils.clear_session()  # names are counted from the start again
        draw, made = Draw(key), optimizer()
        start = [draw.f(3, 2), draw.f(4)]
        variables = [keras.Variable(a, name=f"v{k}") for k, a in enumerate(start)]
        made.build(variables)
        arrays = {f"start{k}": a for k, a in enumerate(start)}
        for step in range(steps):
            gradients = [draw.f(*a.shape) * np.float32(2) for a in start]
            if step == 3:
                gradients[1][:2] = 0  # a weight that gets no gradient for a step
            made.apply([tf.convert_to_tensor(g) for g in gradients])
            arrays |= {f"grad{step}_{k}": g for k, g in enumerate(gradients)} | {f"value{step}_{k}": np.asarray(v) for k, v in enumerate(variables)}
        arrays |= {f"state{k}": np.asarray(v) for k, v in enumerate(made.variables)}
        config = {k: v for k, v in made.get_config().items() if k != "name"}
        return {"kind": "optimizer", "class": type(made).__name__, "config": config, "steps": steps, "variables": 2, "state": [v.path for v in made.variables]}, arrays

    CASES[key] = function


def optimizers():
    o = keras.optimizers
    optimizer_case("sgd", lambda: o.SGD(0.1))
    optimizer_case("sgd_default", lambda: o.SGD())
    optimizer_case("sgd_momentum", lambda: o.SGD(0.1, momentum=0.9))
    optimizer_case("sgd_nesterov", lambda: o.SGD(0.1, momentum=0.9, nesterov=True))
    optimizer_case("adam_default", lambda: o.Adam())
    optimizer_case("adam", lambda: o.Adam(0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-3))
    optimizer_case("adam_amsgrad", lambda: o.Adam(0.05, amsgrad=True))
    optimizer_case("adamw_default", lambda: o.AdamW())
    optimizer_case("adamw", lambda: o.AdamW(0.05, weight_decay=0.1))
    for name, make in (("sgd", lambda **a: o.SGD(0.1, **a)), ("sgd_nesterov", lambda **a: o.SGD(0.1, momentum=0.9, nesterov=True, **a)), ("adam", lambda **a: o.Adam(0.05, **a)),
                       ("adamw", lambda **a: o.AdamW(0.05, **a))):
        for option, value in (("weight_decay", 0.05), ("clipnorm", 0.5), ("clipvalue", 0.3), ("global_clipnorm", 0.5)):
            if (name, option) != ("adamw", "weight_decay"):
                optimizer_case(f"{name}_{option}", lambda make=make, option=option, value=value: make(**{option: value}))
    for cls, given in {"Adadelta": dict(learning_rate=0.5, rho=0.9, epsilon=1e-3), "Adafactor": dict(learning_rate=0.05, clip_threshold=0.5), "Adagrad": dict(learning_rate=0.1, epsilon=1e-3),
                       "Adamax": dict(learning_rate=0.05, beta_1=0.8, beta_2=0.95), "Lamb": dict(learning_rate=0.05, beta_1=0.8, beta_2=0.95), "Lion": dict(learning_rate=0.02, beta_1=0.8),
                       "Ftrl": dict(learning_rate=0.1, learning_rate_power=-0.6, l1_regularization_strength=0.05, l2_regularization_strength=0.1,
                                    l2_shrinkage_regularization_strength=0.02, beta=0.3),
                       "Muon": dict(learning_rate=0.02, adam_lr_ratio=0.5, nesterov=False), "Nadam": dict(learning_rate=0.05, beta_1=0.8, beta_2=0.95),
                       "ScheduleFreeAdamW": dict(learning_rate=0.05, warmup_steps=3)}.items():
        optimizer_case(f"{cls}_default", lambda cls=cls: getattr(o, cls)())
        optimizer_case(cls, lambda cls=cls, given=given: getattr(o, cls)(**given))
        optimizer_case(f"{cls}_decay", lambda cls=cls, given=given: getattr(o, cls)(**given, weight_decay=0.05, clipnorm=0.5))
    optimizer_case("Muon_excluded", lambda: o.Muon(0.02, exclude_layers=["^v"], rms_rate=None))
    schedule = keras.optimizers.schedules
    optimizer_case("sgd_exponential_decay", lambda: o.SGD(schedule.ExponentialDecay(0.1, 2, 0.5)))
    kept = {"ema": dict(use_ema=True, ema_momentum=0.8), "ema_overwritten": dict(use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=2),
            "accumulated": dict(gradient_accumulation_steps=2, weight_decay=0.05, global_clipnorm=0.5), "scaled": dict(loss_scale_factor=8.0),
            "accumulated_ema": dict(gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2)}
    for name, make in (("sgd", lambda **a: o.SGD(0.1, momentum=0.9, **a)), ("adam", lambda **a: o.Adam(0.05, **a)), ("Nadam", lambda **a: o.Nadam(0.05, **a)),
                       ("decaying", lambda **a: o.SGD(schedule.ExponentialDecay(0.1, 2, 0.5), **a))):
        for option, given in kept.items():
            optimizer_case(f"{name}_{option}", lambda make=make, given=given: make(**given), steps=7)


def loss_case(name, cls, attrs, inputs):
    """arrays: y_true, y_pred, optional sample_weight, loss (a number or one a sample), grad: of its sum w.r.t. y_pred."""
    key = f"loss/{name}"

    def function():
        draw = Draw(key)
        y_true, y_pred, weight = inputs(draw)
        prediction = tf.convert_to_tensor(y_pred)
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            loss = getattr(keras.losses, cls)(**attrs)(y_true, prediction, sample_weight=weight)
            total = tf.reduce_sum(loss)
        arrays = {"y_true": y_true, "y_pred": y_pred, "loss": np.asarray(loss), "grad": np.asarray(tape.gradient(total, prediction))}
        if weight is not None:
            arrays["sample_weight"] = weight
        return {"kind": "loss", "class": cls, "attrs": attrs}, arrays

    CASES[key] = function


def losses():
    weights = {"": lambda d, n: None, "_weighted": lambda d, n: d.f(n, low=0, high=2), "_weighted_zero": lambda d, n: np.float32([0, 1, 0, 2, 0.5][:n])}
    logits = lambda d, *s: d.f(*s) * np.float32(2)
    probabilities = lambda d, *s: d.f(*s, low=0.05, high=0.95)
    one_hot = lambda d: np.eye(4, dtype="float32")[d.i(5, low=0, high=4)]
    for word, weight in weights.items():
        for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none"):
            for cls, short in (("MeanSquaredError", "mse"), ("MeanAbsoluteError", "mae")):
                loss_case(f"{short}_{reduction}{word}", cls, {"reduction": reduction}, lambda d, weight=weight: (d.f(5, 3), d.f(5, 3), weight(d, 5)))
            for flag, values in ((False, probabilities), (True, logits)):
                kind = "logits" if flag else "probabilities"
                attrs = {"reduction": reduction, "from_logits": flag}
                loss_case(f"binary_{kind}_{reduction}{word}", "BinaryCrossentropy", attrs, lambda d, v=values, w=weight: (d.b(5, 3).astype("float32"), v(d, 5, 3), w(d, 5)))
                loss_case(f"categorical_{kind}_{reduction}{word}", "CategoricalCrossentropy", attrs, lambda d, v=values, w=weight: (one_hot(d), v(d, 5, 4), w(d, 5)))
                loss_case(f"sparse_{kind}_{reduction}{word}", "SparseCategoricalCrossentropy", attrs, lambda d, v=values, w=weight: (d.i(5, low=0, high=4), v(d, 5, 4), w(d, 5)))
    for flag, values in ((False, probabilities), (True, logits)):
        kind = "logits" if flag else "probabilities"
        attrs = {"from_logits": flag, "label_smoothing": 0.2}
        loss_case(f"binary_{kind}_smoothed", "BinaryCrossentropy", attrs, lambda d, v=values: (d.b(5, 3).astype("float32"), v(d, 5, 3), None))
        loss_case(f"categorical_{kind}_smoothed", "CategoricalCrossentropy", attrs, lambda d, v=values: (one_hot(d), v(d, 5, 4), None))
        loss_case(f"sparse_{kind}_column", "SparseCategoricalCrossentropy", {"from_logits": flag}, lambda d, v=values: (d.i(5, 1, low=0, high=4), v(d, 5, 4), None))
        loss_case(f"sparse_{kind}_int64", "SparseCategoricalCrossentropy", {"from_logits": flag}, lambda d, v=values: (d.i(5, low=0, high=4, dtype="int64"), v(d, 5, 4), None))
        loss_case(f"sparse_{kind}_images", "SparseCategoricalCrossentropy", {"from_logits": flag}, lambda d, v=values: (d.i(2, 3, 3, low=0, high=4), v(d, 2, 3, 3, 4), None))
        loss_case(f"sparse_{kind}_ignored", "SparseCategoricalCrossentropy", {"from_logits": flag, "ignore_class": 1}, lambda d, v=values: (np.int32([0, 1, 2, 1, 3]), v(d, 5, 4), None))
    one, signs, labels = lambda d: d.b(5, 3).astype("float32"), lambda d: np.where(d.b(5, 3), 1, -1).astype("float32"), lambda d: d.i(5, low=0, high=4)
    positive = lambda d, *s: d.f(*s, low=0.1, high=3)
    for word, weight in weights.items():
        for cls in ("LogCosh", "Huber", "CosineSimilarity"):
            loss_case(f"{cls}{word}", cls, {}, lambda d, w=weight: (d.f(5, 3), d.f(5, 3), w(d, 5)))
        for cls in ("Poisson", "MeanSquaredLogarithmicError", "MeanAbsolutePercentageError"):
            loss_case(f"{cls}{word}", cls, {}, lambda d, w=weight: (positive(d, 5, 3), positive(d, 5, 3), w(d, 5)))
        for cls in ("Hinge", "SquaredHinge"):
            loss_case(f"{cls}{word}", cls, {}, lambda d, w=weight: (one(d), d.f(5, 3), w(d, 5)))
            loss_case(f"{cls}_signs{word}", cls, {}, lambda d, w=weight: (signs(d), d.f(5, 3), w(d, 5)))
        loss_case(f"CategoricalHinge{word}", "CategoricalHinge", {}, lambda d, w=weight: (one_hot(d), d.f(5, 4), w(d, 5)))
        loss_case(f"KLDivergence{word}", "KLDivergence", {}, lambda d, w=weight: (probabilities(d, 5, 4), probabilities(d, 5, 4), w(d, 5)))
        loss_case(f"CategoricalGeneralizedCrossEntropy{word}", "CategoricalGeneralizedCrossEntropy", {"q": 0.7}, lambda d, w=weight: (labels(d), probabilities(d, 5, 4), w(d, 5)))
        loss_case(f"CTC{word}", "CTC", {}, lambda d, w=weight: (np.int32([[1, 2, 2], [3, 0, 0], [1, 3, 0], [2, 1, 3], [0, 0, 0]]), d.f(5, 7, 4), w(d, 5)))
        loss_case(f"Circle{word}", "Circle", {}, lambda d, w=weight: (np.int32([0, 1, 0, 2, 1]), (lambda a: a / np.linalg.norm(a, axis=1, keepdims=True))(d.f(5, 3)), w(d, 5)))
        for kind, flag, values in (("probabilities", False, probabilities), ("logits", True, logits)):
            loss_case(f"BinaryFocal_{kind}{word}", "BinaryFocalCrossentropy", {"from_logits": flag}, lambda d, v=values, w=weight: (one(d), v(d, 5, 3), w(d, 5)))
            loss_case(f"CategoricalFocal_{kind}{word}", "CategoricalFocalCrossentropy", {"from_logits": flag}, lambda d, v=values, w=weight: (one_hot(d), v(d, 5, 4), w(d, 5)))
    loss_case("BinaryFocal_balanced", "BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "label_smoothing": 0.2}, lambda d: (one(d), probabilities(d, 5, 3), None))
    loss_case("CategoricalFocal_smoothed", "CategoricalFocalCrossentropy", {"alpha": 0.6, "gamma": 3.0, "label_smoothing": 0.1}, lambda d: (one_hot(d), probabilities(d, 5, 4), None))
    loss_case("Huber_delta", "Huber", {"delta": 0.4, "reduction": "sum"}, lambda d: (d.f(5, 3), d.f(5, 3), None))
    loss_case("CosineSimilarity_axis", "CosineSimilarity", {"axis": 1}, lambda d: (d.f(4, 5, 3), d.f(4, 5, 3), None))
    loss_case("Circle_diagonal", "Circle", {"remove_diagonal": False, "gamma": 20.0, "margin": 0.3}, lambda d: (np.int32([0, 1, 0, 2, 1]), (lambda a: a / np.linalg.norm(a, axis=1, keepdims=True))(d.f(5, 3)), None))
    for cls, attrs in (("Dice", {}), ("Tversky", {"alpha": 0.3, "beta": 0.8})):
        loss_case(f"{cls}_all", cls, attrs, lambda d: (one(d), probabilities(d, 5, 3), None))
        loss_case(f"{cls}_axes", cls, {**attrs, "axis": [1, 2], "reduction": "none"}, lambda d: (d.b(3, 4, 2).astype("float32"), d.f(3, 4, 2, low=0, high=1), None))
    loss_case("binary_vector_targets", "BinaryCrossentropy", {}, lambda d: (d.b(5).astype("float32"), probabilities(d, 5, 1), None))
    loss_case("mse_vector_targets", "MeanSquaredError", {}, lambda d: (d.f(5), d.f(5, 1), None))
    loss_case("mse_int_targets", "MeanSquaredError", {}, lambda d: (d.i(5, 2), d.f(5, 2), None))
    loss_case("mse_rank3_weights", "MeanSquaredError", {}, lambda d: (d.f(2, 3, 4), d.f(2, 3, 4), d.f(2, 3, low=0, high=2)))
    loss_case("binary_bool_targets", "BinaryCrossentropy", {}, lambda d: (d.b(5, 2), probabilities(d, 5, 2), None))


def accuracy_case(name, y_true, y_pred, metric="accuracy", weight=None):
    """What compile(metrics=[...]) chooses and finds: two updates, each with half of the rows; arrays also y_true, y_pred, result."""
    key = f"accuracy/{name}"

    def function():
        keras.utils.clear_session()
        draw = Draw(key)
        t, p = y_true(draw), y_pred(draw)
        model = keras.Sequential([keras.Input(p.shape[1:]), keras.layers.Identity()])
        model.compile(loss="mse", weighted_metrics=[metric] if weight else None, metrics=None if weight else [metric])
        metrics, arrays, half = model._compile_metrics, {"y_true": t, "y_pred": p}, len(t) // 2
        w = weight(draw) if weight else None
        for part in (slice(0, half), slice(half, None)):
            metrics.update_state(t[part], p[part], sample_weight=None if w is None else w[part])
        result = {k: np.float32(v) for k, v in metrics.result().items()}
        (label, value), = result.items()
        inner = metrics.metrics[0]
        chosen = inner._fn.__name__ if hasattr(inner, "_fn") else type(inner).__name__
        if w is not None:
            arrays["sample_weight"] = w
        return {"kind": "accuracy", "metric": metric, "label": label, "chosen": chosen}, arrays | {"result": value}

    CASES[key] = function


def accuracy():
    probabilities = lambda *s: lambda d: d.f(*s, low=0, high=1)
    one_hot = lambda d: np.eye(4, dtype="float32")[d.i(8, low=0, high=4)]
    accuracy_case("sparse", lambda d: d.i(8, low=0, high=4), probabilities(8, 4))
    accuracy_case("sparse_column", lambda d: d.i(8, 1, low=0, high=4), probabilities(8, 4))
    accuracy_case("categorical", one_hot, probabilities(8, 4))
    accuracy_case("binary", lambda d: d.b(8).astype("float32"), probabilities(8, 1))
    accuracy_case("binary_column", lambda d: d.b(8, 1).astype("float32"), probabilities(8, 1))
    accuracy_case("multi_label", lambda d: d.b(8, 3).astype("float32"), probabilities(8, 3))
    accuracy_case("sparse_rank3", lambda d: d.i(8, 3, low=0, high=4), probabilities(8, 3, 4))
    accuracy_case("acc", lambda d: d.i(8, low=0, high=4), probabilities(8, 4), metric="acc")
    accuracy_case("threshold", lambda d: np.float32([0, 1, 0, 1]), lambda d: np.float32([[0.5], [0.5], [0.51], [0.49]]))
    accuracy_case("ties", lambda d: np.int32([0, 1, 2, 1]), lambda d: np.float32([[1, 1, 0], [1, 1, 0], [0, 2, 2], [0, 2, 2]]))
    accuracy_case("weighted", lambda d: d.i(8, low=0, high=4), probabilities(8, 4), weight=lambda d: d.f(8, low=0, high=2))
    accuracy_case("weighted_binary", lambda d: d.b(8, 1).astype("float32"), probabilities(8, 1), weight=lambda d: d.f(8, low=0, high=2))
    for metric in ("binary_accuracy", "categorical_accuracy", "mae", "mse"):
        accuracy_case(metric, lambda d: d.b(8, 3).astype("float32"), probabilities(8, 3), metric=metric)
    accuracy_case("sparse_categorical_accuracy", lambda d: d.i(8, low=0, high=4), probabilities(8, 4), metric="sparse_categorical_accuracy")


def metric_case(name, cls, attrs, y_true, y_pred, weight=None):
    """A metric by its class over two halves; arrays: y_true, y_pred, optional sample_weight, result (a number or a vector)."""
    key = f"metric/{name}"

    def function():
        draw = Draw(key)
        t, p = y_true(draw), y_pred(draw)
        w = weight(draw) if weight else None
        metric, half = getattr(keras.metrics, cls)(**attrs), len(t) // 2
        for part in (slice(0, half), slice(half, None)):
            metric.update_state(t[part], p[part], sample_weight=None if w is None else w[part])
        arrays = {"y_true": t, "y_pred": p, "result": np.asarray(metric.result(), dtype="float32")} | ({} if w is None else {"sample_weight": w})
        config = metric.get_config() | {k: v for k, v in attrs.items() if k == "label_weights"}
        return {"kind": "metric", "class": cls, "config": config, "variables": [v.path.split("/")[-1] for v in metric.variables]}, arrays

    CASES[key] = function


def metrics():
    scores = lambda *s: lambda d: d.f(*s, low=0.02, high=0.98)
    labels = lambda *s: lambda d: d.b(*s).astype("float32")
    weights = lambda d: d.f(12, low=0, high=2)
    one_hot = lambda d: np.eye(4, dtype="float32")[d.i(12, low=0, high=4)]
    for cls in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision", "Recall"):
        metric_case(cls, cls, {}, labels(12), scores(12, 1))
        metric_case(f"{cls}_thresholds", cls, {"thresholds": [0.2, 0.35, 0.9]}, labels(12, 3), scores(12, 3))
        metric_case(f"{cls}_even", cls, {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, labels(12, 3), scores(12, 3))
        metric_case(f"{cls}_weighted", cls, {"thresholds": 0.4}, labels(12, 3), scores(12, 3), weights)
    for cls in ("Precision", "Recall"):
        metric_case(f"{cls}_top", cls, {"top_k": 2}, labels(12, 4), scores(12, 4), weights)
        metric_case(f"{cls}_class", cls, {"class_id": 1}, labels(12, 4), scores(12, 4))
        metric_case(f"{cls}_top_class", cls, {"top_k": 2, "class_id": 1, "thresholds": 0.3}, labels(12, 4), scores(12, 4))
    for cls, key in {"SensitivityAtSpecificity": "specificity", "SpecificityAtSensitivity": "sensitivity", "PrecisionAtRecall": "recall", "RecallAtPrecision": "precision"}.items():
        metric_case(cls, cls, {key: 0.5}, labels(12), scores(12))
        metric_case(f"{cls}_some", cls, {key: 0.7, "num_thresholds": 20, "class_id": 2}, labels(12, 3), scores(12, 3), weights)
        metric_case(f"{cls}_one", cls, {key: 0.3, "num_thresholds": 1}, labels(12), scores(12))
    for curve in ("ROC", "PR", "PRGAIN"):
        for method in ("interpolation", "minoring", "majoring"):
            metric_case(f"AUC_{curve}_{method}", "AUC", {"curve": curve, "summation_method": method}, labels(12, 3), scores(12, 3))
        metric_case(f"AUC_{curve}_labels", "AUC", {"curve": curve, "multi_label": True}, labels(12, 3), scores(12, 3), weights)
    metric_case("AUC_weighted", "AUC", {"num_thresholds": 30}, labels(12), scores(12, 1), weights)
    metric_case("AUC_thresholds", "AUC", {"thresholds": [0.1, 0.7, 0.4]}, labels(12), scores(12), weights)
    metric_case("AUC_logits", "AUC", {"from_logits": True}, labels(12), lambda d: d.f(12) * np.float32(3))
    metric_case("AUC_label_weights", "AUC", {"multi_label": True, "num_labels": 3, "label_weights": [0.5, 0.0, 2.0]}, labels(12, 3), scores(12, 3))
    metric_case("AUC_flat_label_weights", "AUC", {"label_weights": [0.5, 0.0, 2.0]}, labels(12, 3), scores(12, 3))
    classes = lambda n: lambda d: d.i(12, low=0, high=n)
    metric_case("IoU", "IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, classes(4), classes(4))
    metric_case("IoU_ignored", "IoU", {"num_classes": 4, "target_class_ids": [1, 3], "ignore_class": 0}, classes(4), classes(4), lambda d: d.i(12, low=0, high=3))
    metric_case("IoU_outside", "IoU", {"num_classes": 3, "target_class_ids": [0, 1]}, classes(5), classes(4))
    metric_case("BinaryIoU", "BinaryIoU", {}, labels(12, 3), scores(12, 3))
    metric_case("BinaryIoU_one", "BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, labels(12, 3), scores(12, 3))
    metric_case("MeanIoU", "MeanIoU", {"num_classes": 4}, classes(4), classes(4))
    metric_case("MeanIoU_scores", "MeanIoU", {"num_classes": 4, "sparse_y_pred": False}, lambda d: d.i(12, 3, low=0, high=4), scores(12, 3, 4))
    metric_case("OneHotIoU", "OneHotIoU", {"num_classes": 4, "target_class_ids": [0, 3]}, one_hot, scores(12, 4))
    metric_case("OneHotMeanIoU", "OneHotMeanIoU", {"num_classes": 4}, one_hot, scores(12, 4))
    for average in (None, "micro", "macro", "weighted"):
        metric_case(f"FBetaScore_{average}", "FBetaScore", {"average": average, "beta": 2.0}, one_hot, scores(12, 4))
        metric_case(f"F1Score_{average}", "F1Score", {"average": average, "threshold": 0.4}, labels(12, 3), scores(12, 3), weights)
    for aggregation in (None, "uniform_average", "variance_weighted_average"):
        metric_case(f"R2Score_{aggregation}", "R2Score", {"class_aggregation": aggregation}, lambda d: d.f(12, 3), lambda d: d.f(12, 3))
    metric_case("R2Score_adjusted", "R2Score", {"num_regressors": 3}, lambda d: d.f(12, 2), lambda d: d.f(12, 2), weights)
    metric_case("R2Score_too_many", "R2Score", {"num_regressors": 30}, lambda d: d.f(12, 2), lambda d: d.f(12, 2))
    metric_case("TopKCategoricalAccuracy", "TopKCategoricalAccuracy", {"k": 2}, one_hot, scores(12, 4))
    metric_case("TopKCategoricalAccuracy_rank3", "TopKCategoricalAccuracy", {"k": 2}, lambda d: np.eye(4, dtype="float32")[d.i(12, 3, low=0, high=4)], scores(12, 3, 4))
    metric_case("SparseTopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy", {"k": 2}, classes(4), scores(12, 4), weights)
    metric_case("SparseTopKCategoricalAccuracy_ids", "SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, classes(4), lambda d: d.i(12, 4, low=0, high=4).astype("float32"))
    for cls in ("PearsonCorrelation", "ConcordanceCorrelation", "RootMeanSquaredError"):
        metric_case(cls, cls, {}, lambda d: d.f(12, 5), lambda d: d.f(12, 5))
        metric_case(f"{cls}_weighted", cls, {}, lambda d: d.f(12, 5), lambda d: d.f(12, 5), weights)
    metric_case("PearsonCorrelation_axis", "PearsonCorrelation", {"axis": 1}, lambda d: d.f(12, 5, 2), lambda d: d.f(12, 5, 2))


def fit_case(name, layers, compiled, data, optimizer, epochs=3, **fit):
    """A model of given layers and start weights; arrays: x, y, w<k> before, after<k>, history/<key>, predict, evaluate; entry: the configs."""
    key = f"fit/{name}"

    def function():
        draw = Draw(key)
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        x, y, more = data(draw)
        model = keras.Sequential([keras.Input(x.shape[1:]), *layers()], name="fitted")
        for weight in model.weights:
            if weight.dtype == "float32" and "moving" not in weight.path and "gamma" not in weight.path:
                weight.assign(draw.rng.normal(0, 0.5, weight.shape).astype("float32"))
        before = {f"w{k}": np.asarray(w) for k, w in enumerate(model.weights)}
        model.compile(optimizer=optimizer(), **compiled)
        arrays_given = {k: v for k, v in more.items()}
        history = model.fit(x, y, epochs=epochs, shuffle=False, verbose=0, **fit, **arrays_given)
        arrays = {"x": x, "y": y, **before, **{f"after{k}": np.asarray(w) for k, w in enumerate(model.weights)}, **{k: np.asarray(v) for k, v in arrays_given.items()}}
        arrays |= {f"history_{k}": np.float32(v) for k, v in history.history.items()}
        arrays["predict"] = model.predict(x, verbose=0)
        arrays["evaluate"] = np.float32(model.evaluate(x, y, verbose=0, batch_size=fit.get("batch_size", 32)))
        entry = {"kind": "fit", "layers": [{"class": type(l).__name__, "config": l.get_config()} for l in model.layers], "compile": compiled, "fit": {"epochs": epochs, **fit},
                 "optimizer": {"class": type(model.optimizer).__name__, "config": model.optimizer.get_config()}, "history": sorted(history.history),
                 "weights": [{"path": w.path, "shape": list(w.shape), "trainable": bool(w.trainable)} for w in model.weights]}
        return entry, arrays

    CASES[key] = function


def fits():
    L, o = keras.layers, keras.optimizers
    classes = lambda d: (d.f(22, 5), d.i(22, low=0, high=3), {})
    sparse = dict(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    mlp = lambda: [L.Dense(6, activation="relu"), L.Dense(3, activation="softmax")]
    normalized = lambda: [L.Dense(6, use_bias=False), L.BatchNormalization(momentum=0.9), L.Activation("relu"), L.Dense(3, activation="softmax")]
    fit_case("mlp_sgd", mlp, sparse, classes, lambda: o.SGD(0.1), batch_size=8)
    fit_case("mlp_adam_batchnorm", normalized, sparse, classes, lambda: o.Adam(0.01), batch_size=8)
    fit_case("mlp_adam_validation", normalized, sparse, classes, lambda: o.Adam(0.01), batch_size=8, validation_split=0.3)
    fit_case("regression_momentum", lambda: [L.Dense(4, activation="tanh"), L.Dense(1)], dict(loss="mse", metrics=["mae"]), lambda d: (d.f(20, 3), d.f(20), {}),
             lambda: o.SGD(0.05, momentum=0.9, nesterov=True), batch_size=6)
    fit_case("binary_adamw", lambda: [L.Dense(4, activation="relu"), L.Dense(1, activation="sigmoid")], dict(loss="binary_crossentropy", metrics=["accuracy"]),
             lambda d: (d.f(20, 3), d.b(20).astype("float32"), {}), lambda: o.AdamW(0.02, weight_decay=0.05), batch_size=6)
    fit_case("categorical_smoothed", mlp, dict(loss="categorical_crossentropy", metrics=["accuracy"]), lambda d: (d.f(18, 5), np.eye(3, dtype="float32")[d.i(18, low=0, high=3)], {}),
             lambda: o.Adam(0.02, clipnorm=0.5), batch_size=6)
    fit_case("sample_weight", mlp, dict(loss="sparse_categorical_crossentropy", weighted_metrics=["accuracy"]),
             lambda d: (d.f(12, 5), d.i(12, low=0, high=3), {"sample_weight": d.f(12, low=0, high=2)}), lambda: o.SGD(0.1), batch_size=5)
    cnn = lambda: [L.Conv2D(4, 3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(), L.DepthwiseConv2D(3, padding="same"), L.Flatten(),
                   L.LayerNormalization(), L.Dense(3, activation="softmax")]
    fit_case("cnn_adam", cnn, sparse, lambda d: (d.f(10, 6, 6, 2), d.i(10, low=0, high=3), {}), lambda: o.Adam(0.01), batch_size=4)
    fit_case("mlp_ema", normalized, sparse, classes, lambda: o.Adam(0.01, use_ema=True, ema_momentum=0.9), batch_size=8)
    fit_case("mlp_accumulated", normalized, sparse, classes, lambda: o.Adam(0.01, gradient_accumulation_steps=2, clipnorm=0.5), batch_size=8)
    # Logits so far out that probabilities round to 0 and 1: Keras' losses go on from the logits.
    far, one_hots = lambda d: (60 * d.f(22, 5), d.i(22, low=0, high=3), {}), lambda d: (60 * d.f(22, 5), np.eye(3, dtype="float32")[d.i(22, low=0, high=3)], {})
    slow = lambda: o.SGD(1e-3)
    fit_case("far_sparse", lambda: [L.Dense(3, activation="softmax")], sparse, far, slow, batch_size=8)
    fit_case("far_softmax", lambda: [L.Dense(3), L.Softmax()], dict(loss="sparse_categorical_crossentropy", metrics=["sparse_categorical_crossentropy"]), far, slow, batch_size=8)
    fit_case("far_activation", lambda: [L.Dense(3), L.Activation("softmax")], dict(loss="categorical_crossentropy", metrics=["accuracy"]), one_hots, slow, batch_size=8)
    fit_case("far_sigmoid", lambda: [L.Dense(3, activation="sigmoid")], dict(loss="binary_crossentropy", metrics=["accuracy"]), one_hots, slow, batch_size=8)
    fit_case("far_binary_softmax", lambda: [L.Dense(3, activation="softmax")], dict(loss="binary_crossentropy", metrics=["accuracy"]), one_hots, slow, batch_size=8)
    fit_case("far_not_last", lambda: [L.Dense(3, activation="softmax"), L.Rescaling(0.5, 0.25)], sparse, far, slow, batch_size=8)


def schedules():
    """arrays: step, rate."""
    def add(name, cls, attrs):
        def function():
            steps = np.float32([0, 1, 2, 5, 9, 10, 11, 19, 20, 21, 40, 75, 300])
            schedule = getattr(keras.optimizers.schedules, cls)(**attrs)
            return {"kind": "schedule", "class": cls, "config": schedule.get_config()}, {"step": steps, "rate": np.float32([schedule(tf.constant(s)) for s in steps])}

        CASES[f"schedule/{name}"] = function

    first = dict(initial_learning_rate=0.1, decay_steps=20)
    add("exponential", "ExponentialDecay", dict(**first, decay_rate=0.9))
    add("exponential_stairs", "ExponentialDecay", dict(**first, decay_rate=0.9, staircase=True))
    add("piecewise", "PiecewiseConstantDecay", dict(boundaries=[5, 20, 40], values=[1.0, 0.5, 0.1, 0.02]))
    add("polynomial", "PolynomialDecay", dict(**first, power=0.5))
    add("polynomial_cycle", "PolynomialDecay", dict(**first, power=2.0, cycle=True, end_learning_rate=0.01))
    add("inverse", "InverseTimeDecay", dict(**first, decay_rate=0.7))
    add("inverse_stairs", "InverseTimeDecay", dict(**first, decay_rate=0.7, staircase=True))
    add("cosine", "CosineDecay", dict(**first, alpha=0.1))
    add("cosine_warm", "CosineDecay", dict(**first, alpha=0.1, warmup_target=0.4, warmup_steps=10))
    for name, attrs in {"plain": {}, "equal": dict(t_mul=1.0, m_mul=0.8), "all": dict(t_mul=1.5, m_mul=0.9, alpha=0.05)}.items():
        add(f"restarts_{name}", "CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=8, **attrs))


optimizers(), losses(), accuracy(), metrics(), fits(), schedules()

if __name__ == "__main__":
    golden.make(__file__, FILES)
