"""Values of Keras' preprocessing layers, for the tests of src/nn: images, numbers, text. As make_layers.py, with data to adapt to."""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw, run

L = keras.layers
NUMBERS, TEXT = {}, {}
FILES = {"preprocessing.npz": NUMBERS, "preprocessing_text.npz": TEXT}
CASES = NUMBERS


def plain_text(a):
    """tf.string as NumPy's Unicode: what a .npz holds of strings."""
    a = np.asarray(a)
    return np.char.decode(a.astype("S"), "utf-8") if a.dtype == object and a.size else a.astype("U1") if a.dtype == object else a


def case(name, layer, inputs, adapt=None, gradients=True):
    """layer(): a new layer; inputs(draw): its arrays, called as a list if there are several; adapt(draw): batches to show it first."""
    assert name not in CASES, name

    def function():
        draw = Draw(name)
        keras.utils.clear_session()
        made, arrays_in = layer(), [np.asarray(a) for a in inputs(draw)]
        entry, arrays = {"layer": type(made).__name__, "inputs": len(arrays_in)}, {}
        entry["config"] = made.get_config()  # before it learns
        if adapt:
            batches = [np.asarray(b) for b in adapt(draw)]
            made.adapt(batches[0] if len(batches) == 1 else (b for b in batches) if batches[0].dtype.kind == "U" else iter(batches))
            arrays |= {f"adapt{k}": b for k, b in enumerate(batches)}
            entry["adapted"] = made.get_config()
            if hasattr(made, "get_vocabulary"):
                entry["vocabulary"] = made.get_vocabulary()
        take = (lambda t: list(t)) if len(arrays_in) > 1 else (lambda t: t[0])
        got, entry["outputs"] = run(draw, lambda t: made(take(t)), arrays_in, gradients=gradients)
        arrays |= {k: plain_text(v) for k, v in got.items()}
        arrays |= {f"w{k}": np.asarray(w) for k, w in enumerate(made.weights)}
        return entry, arrays

    CASES[name] = function


def variants(name, inputs, table, **options):
    for variant, attrs in table.items():
        case(f"{name}/{variant}", lambda attrs=attrs: getattr(L, name)(**attrs), inputs, **options)


def images():
    pixels = lambda d: [d.f(2, 7, 5, 3, low=0, high=255)]
    for kind in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        for size, (h, w) in {"up": (11, 9), "down": (3, 4), "mixed": (4, 12)}.items():
            case(f"Resizing/{kind}_{size}", lambda kind=kind, h=h, w=w: L.Resizing(h, w, interpolation=kind), pixels)
        if kind != "nearest":
            case(f"Resizing/{kind}_antialias", lambda kind=kind: L.Resizing(3, 2, interpolation=kind, antialias=True), pixels)
        case(f"Resizing/{kind}_uint8", lambda kind=kind: L.Resizing(9, 4, interpolation=kind), lambda d: [d.i(2, 7, 5, 3, low=0, high=256, dtype="uint8")])
    variants("Resizing", pixels, {
        "crop": dict(height=6, width=3, crop_to_aspect_ratio=True), "crop_wide": dict(height=2, width=6, crop_to_aspect_ratio=True),
        "pad": dict(height=6, width=6, pad_to_aspect_ratio=True, fill_value=7.5), "pad_wide": dict(height=3, width=8, pad_to_aspect_ratio=True),
        "pad_tall": dict(height=9, width=2, pad_to_aspect_ratio=True, fill_value=-1.0, interpolation="nearest"),
        "same": dict(height=7, width=5, interpolation="bicubic")})
    case("Resizing/first", lambda: L.Resizing(5, 8, data_format="channels_first", interpolation="lanczos3"), lambda d: [d.f(2, 3, 7, 5)])
    case("Resizing/one", lambda: L.Resizing(5, 8, crop_to_aspect_ratio=True), lambda d: [d.f(7, 5, 3)])
    case("Resizing/int32", lambda: L.Resizing(9, 4), lambda d: [d.i(1, 7, 5, 2, low=-300, high=300)])
    case("Resizing/large", lambda: L.Resizing(17, 13, interpolation="bicubic", antialias=True), lambda d: [d.f(1, 40, 31, 1)])
    variants("CenterCrop", pixels, {"inside": dict(height=4, width=3), "odd": dict(height=2, width=2), "same": dict(height=7, width=5),
                                    "larger": dict(height=9, width=11), "higher": dict(height=9, width=3), "wider": dict(height=4, width=8)})
    case("CenterCrop/first", lambda: L.CenterCrop(3, 4, data_format="channels_first"), lambda d: [d.f(2, 3, 7, 5)])
    case("CenterCrop/one", lambda: L.CenterCrop(3, 4), lambda d: [d.f(7, 5, 3)])
    case("CenterCrop/uint8", lambda: L.CenterCrop(3, 4), lambda d: [d.i(2, 7, 5, 3, low=0, high=256, dtype="uint8")])


def numbers():
    edges = [-1.0, 0.0, 0.3, 1.5]
    for mode in ("int", "one_hot", "multi_hot", "count"):
        for shape in ((5,), (3, 4), (3, 1), (2, 3, 2)):
            label = "x".join(map(str, shape))
            case(f"Discretization/{mode}_{label}", lambda mode=mode: L.Discretization(edges, output_mode=mode), lambda d, shape=shape: [d.f(*shape)])
            if mode != "int":
                case(f"CategoryEncoding/{mode}_{label}", lambda mode=mode: L.CategoryEncoding(4, output_mode=mode),
                     lambda d, shape=shape: [d.i(*shape, low=0, high=4)])
    case("Discretization/integers", lambda: L.Discretization([-2, 0, 3]), lambda d: [d.i(4, 3)])
    case("Discretization/edges", lambda: L.Discretization([0.1, 0.5]), lambda d: [np.array([[0.1, 0.5, -np.inf, np.inf, 0.0999999]], "float32")])
    for label, bins, epsilon, sizes in (("few", 4, 0.01, (20,)), ("many", 5, 0.01, (1000,)), ("batches", 6, 0.05, (150, 90, 33)), ("coarse", 3, 0.3, (40, 7))):
        case(f"Discretization/adapt_{label}", lambda bins=bins, epsilon=epsilon: L.Discretization(num_bins=bins, epsilon=epsilon), lambda d: [d.f(4, 3)],
             adapt=lambda d, sizes=sizes: [d.f(n, 2) for n in sizes])
    case("CategoryEncoding/int64", lambda: L.CategoryEncoding(5, output_mode="count"), lambda d: [d.i(3, 6, low=0, high=7, dtype="int64")])
    case("CategoryEncoding/one_hot_outside", lambda: L.CategoryEncoding(3, output_mode="one_hot"), lambda d: [d.i(3, 2, low=-1, high=5)])
    for label, attrs, shape in (("vector", {}, (12, 3)), ("axes", dict(axis=(1, 2)), (5, 3, 4)), ("all", dict(axis=None), (6, 4)), ("middle", dict(axis=1), (4, 3, 5))):
        case(f"Normalization/adapt_{label}", lambda attrs=attrs: L.Normalization(**attrs), lambda d, shape=shape: [d.f(*shape)], adapt=lambda d, shape=shape: [3 * d.f(*shape) + 2])
    case("Normalization/adapt_batches", lambda: L.Normalization(), lambda d: [d.f(4, 3)], adapt=lambda d: [d.f(7, 3) + 5, d.f(2, 3), 9 * d.f(11, 3)])
    case("Normalization/adapt_invert", lambda: L.Normalization(invert=True), lambda d: [d.f(4, 3)], adapt=lambda d: [d.f(9, 3) + 1])


words = lambda *shape: lambda d: [np.array(["cat", "dog", "a", "the", "", "zebra", "Häuser", "日本"])[d.i(*shape, low=0, high=8)]]
SENTENCES = ["The cat, sat!", "a bird flew...", "", "the  dog -- the DOG\tran", "Über-Straße, 日本 is far", "cat cat cat", "one two three four five six seven", "?!"]
sentences = lambda n: lambda d: [np.array(SENTENCES)[d.i(n, 1, low=0, high=8)]]
VOCABULARY = ["cat", "the", "dog", "日本", "a"]
ANIMALS = ["the", "cat", "sat", "dog", "a", "the cat", "cat sat", "über-straße", "überstraße", "two three", "ran", "日本"]


def hashing():
    every = lambda d: [np.array([["a"], ["b"], ["hello"], [""], ["a longer string that exceeds thirty-two bytes of text"], ["x" * 70], ["y" * 64], ["z" * 65], ["w" * 130],
                                 ["seventeen letters"], ["four"], ["eightlet"], ["sixteen letters!"], ["k" * 32], ["日本語"]])]
    variants("Hashing", every, {"plain": dict(num_bins=1000), "salt": dict(num_bins=1000, salt=[1, 2]), "one_salt": dict(num_bins=97, salt=137), "one": dict(num_bins=1),
                                "mask": dict(num_bins=5, mask_value=""), "one_hot": dict(num_bins=4, output_mode="one_hot"), "int32": dict(num_bins=9, dtype="int32")})
    for mode in ("multi_hot", "count", "one_hot", "int"):
        case(f"Hashing/words_{mode}", lambda mode=mode: L.Hashing(4, output_mode=mode, mask_value="cat"), words(3, 5))
    integers = lambda d: [np.array([[0], [1], [2], [12345], [-7], [2**62], [-(2**63)]], "int64")]
    variants("Hashing", integers, {"integers": dict(num_bins=1000), "integers_salt": dict(num_bins=1000, salt=3), "integers_mask": dict(num_bins=3, mask_value=2)})
    case("Hashing/floats", lambda: L.Hashing(50), lambda d: [np.array([[1.7, -2.2, 0.0]], "float32")], gradients=False)
    cross = lambda d: [words(6, 1)(d)[0], d.i(6, 1, low=-3, high=9)]
    variants("HashedCrossing", cross, {"int": dict(num_bins=50), "one_hot": dict(num_bins=5, output_mode="one_hot")})
    case("HashedCrossing/three", lambda: L.HashedCrossing(1000), lambda d: [words(7)(d)[0], d.i(7, dtype="int64"), words(7)(d)[0]])
    case("HashedCrossing/integers", lambda: L.HashedCrossing(100), lambda d: [d.i(5, 1), d.i(5, 1)])


def lookups():
    variants("StringLookup", words(4, 3), {
        "plain": dict(vocabulary=VOCABULARY), "mask": dict(vocabulary=VOCABULARY, mask_token=""), "oov3": dict(vocabulary=VOCABULARY, num_oov_indices=3),
        "oov3_mask": dict(vocabulary=VOCABULARY, num_oov_indices=3, mask_token="the2"), "salt": dict(vocabulary=VOCABULARY, num_oov_indices=4, salt=[3, 4]),
        "special": dict(vocabulary=["", "[UNK]", *VOCABULARY], mask_token=""), "one_hot": dict(vocabulary=VOCABULARY, output_mode="one_hot"),
        "multi_hot": dict(vocabulary=VOCABULARY, output_mode="multi_hot"), "count": dict(vocabulary=VOCABULARY, output_mode="count", mask_token="cat2"),
        "padded": dict(vocabulary=VOCABULARY, output_mode="count", max_tokens=9, pad_to_max_tokens=True),
        "tf_idf": dict(vocabulary=VOCABULARY, output_mode="tf_idf", idf_weights=[0.1, 0.5, 0.3, 0.7, 0.9]),
        "tf_idf_padded": dict(vocabulary=VOCABULARY, output_mode="tf_idf", idf_weights=[0.1, 0.5, 0.3, 0.7, 0.9], max_tokens=10, pad_to_max_tokens=True)})
    known = lambda d: [np.array(VOCABULARY)[d.i(4, 3, low=0, high=5)]]
    case("StringLookup/no_oov", lambda: L.StringLookup(vocabulary=VOCABULARY, num_oov_indices=0), known)
    case("StringLookup/column", lambda: L.StringLookup(vocabulary=VOCABULARY, output_mode="one_hot"), words(5, 1))
    indices = lambda d: [d.i(4, 3, low=-1, high=9, dtype="int64")]
    case("StringLookup/invert", lambda: L.StringLookup(vocabulary=VOCABULARY, invert=True), indices)
    case("StringLookup/invert_mask", lambda: L.StringLookup(vocabulary=VOCABULARY, invert=True, mask_token=""), indices)
    for label, attrs in (("plain", {}), ("mask", dict(mask_token="")), ("max", dict(max_tokens=5)), ("tf_idf", dict(output_mode="tf_idf")), ("count", dict(output_mode="count", max_tokens=4)),
                         ("tf_idf_padded", dict(output_mode="tf_idf", max_tokens=12, pad_to_max_tokens=True))):
        case(f"StringLookup/adapt_{label}", lambda attrs=attrs: L.StringLookup(**attrs), words(4, 3), adapt=words(9, 4))
    case("StringLookup/adapt_vector", lambda: L.StringLookup(output_mode="tf_idf"), words(4, 3), adapt=words(11))
    numbers = [3, 5, -2, 40]
    integers = lambda d: [np.array([3, 5, -2, 40, 0, 7, -9, 12], "int64")[d.i(4, 3, low=0, high=8)]]
    variants("IntegerLookup", integers, {
        "plain": dict(vocabulary=numbers), "mask": dict(vocabulary=numbers, mask_token=0), "oov3": dict(vocabulary=numbers, num_oov_indices=3),
        "farmhash": dict(vocabulary=numbers, num_oov_indices=3, oov_method="farmhash"), "salt": dict(vocabulary=numbers, num_oov_indices=3, oov_method="farmhash", salt=7),
        "one_hot": dict(vocabulary=numbers, output_mode="one_hot"), "multi_hot": dict(vocabulary=numbers, output_mode="multi_hot"), "count": dict(vocabulary=numbers, output_mode="count"),
        "tf_idf": dict(vocabulary=numbers, output_mode="tf_idf", idf_weights=[0.1, 0.5, 0.3, 0.7])})
    case("IntegerLookup/invert", lambda: L.IntegerLookup(vocabulary=numbers, invert=True), indices)
    case("IntegerLookup/invert_mask", lambda: L.IntegerLookup(vocabulary=numbers, invert=True, mask_token=0), indices)
    case("IntegerLookup/adapt_plain", lambda: L.IntegerLookup(), integers, adapt=lambda d: [d.i(30, 2, dtype="int64")])
    case("IntegerLookup/adapt_max", lambda: L.IntegerLookup(max_tokens=4, mask_token=0), integers, adapt=lambda d: [d.i(30, 2, dtype="int64")])


def texts():
    variants("TextVectorization", sentences(7), {
        "plain": dict(vocabulary=ANIMALS), "length": dict(vocabulary=ANIMALS, output_sequence_length=4), "long": dict(vocabulary=ANIMALS, output_sequence_length=12),
        "lower": dict(vocabulary=ANIMALS, standardize="lower", output_sequence_length=5), "strip": dict(vocabulary=ANIMALS, standardize="strip_punctuation", output_sequence_length=5),
        "as_is": dict(vocabulary=ANIMALS, standardize=None, output_sequence_length=5), "characters": dict(vocabulary=["a", "t", " ", "ü", "日"], split="character", output_sequence_length=9),
        "ngrams": dict(vocabulary=ANIMALS, ngrams=2, output_sequence_length=9), "some_ngrams": dict(vocabulary=ANIMALS, ngrams=(2, 3), output_sequence_length=6),
        "whole": dict(vocabulary=["the cat sat", "cat cat cat"], split=None), "multi_hot": dict(vocabulary=ANIMALS, output_mode="multi_hot"), "count": dict(vocabulary=ANIMALS, output_mode="count", ngrams=2),
        "padded": dict(vocabulary=ANIMALS, output_mode="count", max_tokens=20, pad_to_max_tokens=True),
        "tf_idf": dict(vocabulary=["the", "cat"], output_mode="tf_idf", idf_weights=[0.4, 0.8])})
    case("TextVectorization/vector", lambda: L.TextVectorization(vocabulary=ANIMALS, output_sequence_length=3), lambda d: [np.array(SENTENCES)])
    case("TextVectorization/tokens", lambda: L.TextVectorization(vocabulary=VOCABULARY, split=None, output_sequence_length=4), words(5, 3))
    case("TextVectorization/tokens_ngrams", lambda: L.TextVectorization(vocabulary=["cat dog", "the"], split=None, ngrams=(1, 2), output_sequence_length=6), words(5, 3))
    for label, shape, attrs in (("", (5, 3), {}), ("_vector", (6,), {}), ("_column", (4, 1), {}), ("_ngrams", (5, 3), dict(ngrams=2)), ("_padded", (5, 3), dict(max_tokens=9, pad_to_max_tokens=True))):
        case(f"TextVectorization/one_hot{label}", lambda attrs=attrs: L.TextVectorization(vocabulary=VOCABULARY, split=None, output_mode="one_hot", **attrs), words(*shape))
    case("TextVectorization/adapt_tokens", lambda: L.TextVectorization(output_mode="tf_idf", split=None), words(4, 3), adapt=lambda d: [words(7)(d)[0], words(5)(d)[0]])
    for label, attrs in (("plain", dict(output_sequence_length=5)), ("max", dict(max_tokens=6, output_sequence_length=5)), ("ngrams", dict(ngrams=2, output_mode="count")), ("tf_idf", dict(output_mode="tf_idf")),
                         ("tf_idf_padded", dict(output_mode="tf_idf", max_tokens=30, pad_to_max_tokens=True))):
        case(f"TextVectorization/adapt_{label}", lambda attrs=attrs: L.TextVectorization(**attrs), sentences(6), adapt=lambda d: [np.array(SENTENCES)])


images()
numbers()
CASES = TEXT
hashing()
lookups()
texts()

if __name__ == "__main__":
    golden.make(__file__, FILES)
