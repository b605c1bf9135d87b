"""Values of keras.layers that move or colour images, for the tests of src/nn: as make_layers_more.py, with factors whose two ends are one, so that
nothing is left to chance. Where a sign is left to it both results stand in augmentation_signs.npz, as out0 and out1."""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

import make_layers_more

L = keras.layers
CASES, SIGNS = {}, {}
FILES = {"augmentation_more.npz": CASES, "augmentation_signs.npz": SIGNS}

image = lambda d: [np.round(d.f(2, 6, 5, 3, low=0, high=255), 1)]
one = lambda d: [np.round(d.f(6, 5, 3, low=0, high=255), 1)]
byte = lambda d: [d.i(2, 6, 5, 3, low=0, high=256, dtype="uint8")]
first = lambda d: [np.round(d.f(2, 3, 6, 5, low=0, high=255), 1)]
unit = lambda d: [np.round(d.f(2, 6, 5, 3, low=0, high=1), 2)]


def case(name, layer, inputs, training=True, gradients=False):
    make_layers_more.CASES = CASES
    make_layers_more.case(name, layer, inputs, training=training, gradients=gradients)


def signs(name, layer, inputs, transformation):
    """transformation(images, sign): what the layer would draw."""
    def function():
        keras.utils.clear_session()  # names do not depend on other cases
        made, images = layer(), inputs(golden.Draw(name))[0]
        arrays = {"in0": images}
        for k, sign in enumerate((1.0, -1.0)):
            arrays[f"out{k}"] = np.asarray(made.transform_images(keras.ops.convert_to_tensor(images), transformation(images, sign)))
        return {"layer": type(made).__name__, "config": made.get_config()}, arrays

    SIGNS[name] = function


def everywhere(name, layer):
    """layer(**options) on images of every kind."""
    case(f"{name}/image", layer, image)
    case(f"{name}/one", layer, one)
    case(f"{name}/byte", layer, byte)
    case(f"{name}/first", lambda: layer(data_format="channels_first"), first)
    case(f"{name}/inference", layer, image, training=False)


def geometry():
    for f in (0.25, 0.07, -0.4):
        for fill in ("reflect", "wrap", "constant", "nearest"):
            options = dict(fill_mode=fill, fill_value=9.0)
            case(f"RandomRotation/{f}_{fill}", lambda f=f, options=options: L.RandomRotation((f, f), **options), image)
            case(f"RandomZoom/{f}_{fill}", lambda f=f, options=options: L.RandomZoom((f, f), **options), image)
            case(f"RandomTranslation/{f}_{fill}", lambda f=f, options=options: L.RandomTranslation((f, f), (0.3, 0.3), **options), image)
    nearest = dict(interpolation="nearest")
    everywhere("RandomRotation", lambda **k: L.RandomRotation((0.11, 0.11), **k))
    everywhere("RandomZoom", lambda **k: L.RandomZoom((-0.3, -0.3), (0.2, 0.2), **k))
    everywhere("RandomTranslation", lambda **k: L.RandomTranslation((0.13, 0.13), (-0.31, -0.31), **k))
    everywhere("RandomPerspective", lambda **k: L.RandomPerspective((1.0, 1.0), scale=0.0, **k))
    case("RandomRotation/nearest", lambda: L.RandomRotation((0.11, 0.11), **nearest), image)
    case("RandomZoom/nearest", lambda: L.RandomZoom((-0.33, -0.33), **nearest), image)
    case("RandomTranslation/nearest", lambda: L.RandomTranslation((0.13, 0.13), (-0.31, -0.31), **nearest), image)
    case("RandomZoom/bytes_nearest", lambda: L.RandomZoom((0.4, 0.4), (-0.13, -0.13), **nearest), byte)
    case("RandomShear/none", lambda: L.RandomShear(), image)
    case("RandomPerspective/never", lambda: L.RandomPerspective((0.0, 0.0), scale=1.0), image)
    for fill in ("reflect", "wrap", "constant", "nearest"):
        shear = lambda images, sign: {"shear_factor": keras.ops.convert_to_tensor(np.full((len(images), 2), sign, "float32") * np.array([[0.4, 0.15]], "float32"))}
        signs(f"RandomShear/{fill}", lambda fill=fill: L.RandomShear((0.4, 0.4), (0.15, 0.15), fill_mode=fill, fill_value=3.0), image, shear)
        signs(f"RandomShear/{fill}_nearest", lambda fill=fill: L.RandomShear((0.4, 0.4), (0.15, 0.15), fill_mode=fill, fill_value=3.0, **nearest), image, shear)


def colour():
    everywhere("RandomColorDegeneration", lambda **k: L.RandomColorDegeneration((0.6, 0.6), **k))
    case("RandomColorDegeneration/away", lambda: L.RandomColorDegeneration((-0.5, -0.5), value_range=(1, 0)), unit)
    for kind, factor in {"never": 0.0, "always": 1.0}.items():
        everywhere(f"RandomGrayscale/{kind}", lambda factor=factor, **k: L.RandomGrayscale(factor, **k))
    for factor in (0.3, 0.5, 0.8, 1.0, -0.2):
        case(f"RandomSaturation/{factor}", lambda factor=factor: L.RandomSaturation((factor, factor)), image)
        case(f"RandomSaturation/{factor}_unit", lambda factor=factor: L.RandomSaturation((factor, factor), value_range=(0, 1)), unit)
    case("RandomSaturation/one", lambda: L.RandomSaturation((0.4, 0.4), value_range=(0, 1)), one)
    case("RandomSaturation/first", lambda: L.RandomSaturation((0.4, 0.4), value_range=(0, 1), data_format="channels_first"), first)
    case("RandomSaturation/inference", lambda: L.RandomSaturation((0.4, 0.4)), image, training=False)
    everywhere("RandomHue/none", lambda **k: L.RandomHue(0.0, **k))
    turn = lambda f: lambda images, sign: {"factor": keras.ops.full((len(images),), sign * f / 2)}
    for f in (0.2, 0.7):
        signs(f"RandomHue/{f}", lambda f=f: L.RandomHue((f, f)), image, turn(f))
        signs(f"RandomHue/{f}_unit", lambda f=f: L.RandomHue((f, f), value_range=(0, 1)), unit, turn(f))
    signs("RandomHue/first", lambda: L.RandomHue((0.3, 0.3), data_format="channels_first"), first, turn(0.3))
    signs("RandomHue/byte", lambda: L.RandomHue((0.3, 0.3)), byte, turn(0.3))
    jitter = dict(brightness_factor=(0.1, 0.1), contrast_factor=(-0.25, 0.25), saturation_factor=(0.6, 0.6), hue_factor=(0.0, 0.0))
    case("RandomColorJitter/all", lambda: L.RandomColorJitter(**jitter), image)
    case("RandomColorJitter/unit", lambda: L.RandomColorJitter(value_range=(0, 1), **jitter), unit)
    case("RandomColorJitter/one", lambda: L.RandomColorJitter(**jitter), one)
    case("RandomColorJitter/inference", lambda: L.RandomColorJitter(**jitter), byte, training=False)
    for part, factor in jitter.items():
        case(f"RandomColorJitter/{part}", lambda part=part, factor=factor: L.RandomColorJitter(**{part: factor}), image)
    case("RandomColorJitter/nothing", lambda: L.RandomColorJitter(), image)


def elastic():
    everywhere("RandomElasticTransform/no_scale", lambda **k: L.RandomElasticTransform(scale=0.0, **k))
    case("RandomElasticTransform/never", lambda: L.RandomElasticTransform((-1.0, 0.0), value_range=(10, 200)), image)
    case("RandomElasticTransform/never_cut", lambda: L.RandomElasticTransform((0.0, 1e-30), fill_mode="nearest", value_range=(10, 200)), image)


geometry()
colour()
elastic()

if __name__ == "__main__":
    golden.make(__file__, FILES)
