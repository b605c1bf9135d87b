"""Writes preprocessing_more: a model of layers for sound and pictures, with recorded inputs and outputs in the form of `tenure verify`.
Run: python make_preprocessing_models.py"""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

import windows  # noqa: F401: where Keras finds SciPy's

L = keras.layers


def made():
    sound, one, picture = L.Input((120, 2), name="sound"), L.Input((120,), name="one"), L.Input((8, 7, 3), name="picture")
    a = L.STFTSpectrogram(frame_length=16, mode="magnitude", expand_dims=True)(sound)
    b = L.MelSpectrogram(fft_length=32, sequence_stride=16, num_mel_bins=6)(one)
    c = L.Pipeline([L.Rescaling(0.5), L.RandomRotation(0.1, seed=3), L.Conv2D(3, 3), L.RandomFlip("vertical")])(picture)
    c = L.Pipeline([L.Pipeline([L.Dense(3), L.BatchNormalization()]), L.Dense(4), L.Dense(2)], name="line")(c)
    d = picture
    for layer in (L.RandomRotation((0.1, 0.2), fill_mode="wrap", seed=1), L.RandomZoom(0.1, (0.1, 0.3)), L.RandomTranslation(0.1, -0.2, "nearest"), L.RandomShear((0.1, 0.2), (0.0, 0.3)),
                  L.RandomPerspective(0.5, 0.3, fill_value=2.0)):
        d = layer(d)
    return keras.Model([sound, one, picture], [a, b, c, d])


def again():
    """What the kept model gives for the kept inputs."""
    with np.load(golden.HERE / "preprocessing_more_io.npz") as z:
        inputs = {k: z[k] for k in z.files if k.startswith("in_")}
    outputs = keras.models.load_model(golden.HERE / "preprocessing_more.keras")(list(inputs.values()), training=False)
    return inputs | {f"out_{i}": np.asarray(y) for i, y in enumerate(outputs)}


if __name__ == "__main__":
    keras.utils.set_random_seed(11)
    draw = golden.Draw("preprocessing_more")
    model = made()
    for w in model.weights:
        if "seed" not in w.path:
            w.assign(np.round(draw.rng.normal(1 if "gamma" in w.path or "variance" in w.path else 0, 0.2, w.shape), 2))
    inputs = [draw.f(2, 120, 2), draw.f(2, 120), draw.f(2, 8, 7, 3, low=0, high=255)]
    model.save(golden.HERE / "preprocessing_more.keras")
    outputs = model(inputs, training=False)
    arrays = {f"in_{i}": x for i, x in enumerate(inputs)} | {f"out_{i}": np.asarray(y) for i, y in enumerate(outputs)}
    golden.save(golden.HERE / "preprocessing_more_io.npz", {"meta": golden.text(golden.meta(__file__)), **arrays})
    print("preprocessing_more:", [y.shape for y in outputs])
