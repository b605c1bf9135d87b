"""Writes models of the rarer ops, a model a family, each with recorded inputs and outputs. Run: python make_io_ops.py [NAME...]

With io_ops of make_io_models.py they hold nearly every op of keras.ops that a saved graph can hold and Tenure has. The batch is unknown but for io_fixed.
The _io.npz files are in the form of `tenure verify`.
"""
import sys

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw

ops = keras.ops


def filled(*shape, value=0.1):
    return ops.convert_to_tensor(np.full(shape, value, "float32"))


def io_numbers():
    """x is any float, y lies in (0.2, 0.9), n holds small whole numbers."""
    x, y, n = keras.Input((4, 3)), keras.Input((4, 3)), keras.Input((4, 3), dtype="int32")
    holes = ops.where(ops.greater(x, 0.8), ops.log(-1 - ops.square(x)), x)  # not a number here and there
    rows, vectors = ops.sum(x, axis=2), ops.multiply(x, 2)
    outputs = [
        ops.arccosh(y + 1.5), ops.arcsinh(x), ops.arctan2(x, y), ops.arctanh(y), ops.cbrt(y), ops.erfc(x), ops.erfinv(y), ops.exp2(x), ops.log2(y), ops.log10(y),
        ops.trunc(x * 3), ops.sinc(x), ops.i0(x), ops.deg2rad(x), ops.rad2deg(x), ops.round(x, 2), ops.nan_to_num(holes, nan=2.0), ops.signbit(x), ops.isposinf(x),
        ops.isneginf(x), ops.angle(x), ops.fabs(x), ops.real(x), ops.conj(x), ops.imag(x), ops.isreal(x), ops.divide_no_nan(x, y), ops.heaviside(x, y), ops.hypot(x, y),
        ops.ldexp(x, n), ops.logaddexp(x, y), ops.logaddexp2(x, y), ops.fmax(x, y), ops.fmin(x, y), ops.fmod(x, y), ops.nextafter(x, y), ops.isclose(x, y, rtol=0.5),
        ops.allclose(x, x), ops.bitwise_and(n, n + 3), ops.bitwise_or(n, n * 2), ops.bitwise_xor(n, n + 1), ops.bitwise_not(n), ops.left_shift(n, 2), ops.right_shift(n, 1),
        ops.gcd(n, 6), ops.lcm(n, 4), ops.cumprod(y, axis=1), ops.nancumsum(holes, axis=1), ops.nancumprod(holes, axis=2), ops.dot(x, filled(3, 2)),
        ops.tensordot(x, filled(3, 2), axes=1), ops.tensordot(x, filled(3, 4, 2), axes=[[1, 2], [1, 0]]), ops.cross(x, y),
        ops.average(x, axis=1), ops.average(x, axis=2, weights=ops.convert_to_tensor(np.float32([1, 2, 3]))), ops.count_nonzero(n, axis=1), ops.ptp(x, axis=1), ops.median(x, axis=1),
        ops.quantile(x, 0.3, axis=1), ops.quantile(x, [0.3, 0.5], axis=2), ops.percentile(x, 40.0, axis=1), ops.nanmax(holes, axis=1), ops.nanmin(holes, axis=1),
        ops.nansum(holes, axis=1), ops.nanprod(holes, axis=1), ops.nanmean(holes, axis=1), ops.nanvar(holes, axis=1), ops.nanstd(holes, axis=1),
        ops.nanmedian(holes, axis=1), ops.nanquantile(holes, 0.3, axis=1), ops.nanpercentile(holes, 30.0, axis=1), ops.nanargmax(holes, axis=1), ops.nanargmin(holes, axis=1),
        ops.trapezoid(x, dx=0.5, axis=1), ops.vdot(rows, rows), ops.outer(ops.sum(x, axis=(0, 1)), ops.sum(y, axis=(0, 2))), ops.saturate_cast(x * 200, "uint8"),
        ops.convert_to_tensor(vectors), ops.threshold(x, 0.1, -1.0), ops.psnr(x, y, 1.0),
    ]
    draw = Draw("io_numbers")
    return keras.Model([x, y, n], outputs, name="io_numbers"), [draw.f(2, 4, 3), draw.f(2, 4, 3, low=0.2, high=0.9), draw.i(2, 4, 3, low=0, high=6)]


def io_places():
    x, n = keras.Input((4, 6)), keras.Input((4, 6), dtype="int32")
    a, b, c = ops.array_split(x, 3, axis=2)
    outputs = [
        ops.append(x, x, axis=1), a, b, c, *ops.hsplit(x, 2), *ops.dsplit(x, 3), ops.hstack([x, x]), ops.vstack([x, x]), ops.dstack([x, x]), ops.fliplr(x), ops.flipud(x),
        ops.moveaxis(x, 1, 2), ops.roll(x, 2, axis=1), ops.rot90(x, k=3, axes=(1, 2)), ops.diff(x, n=2), ops.diagonal(x, offset=1, axis1=1, axis2=2),
        ops.trace(x, axis1=1, axis2=2), ops.tril(x, k=1), ops.triu(x, k=-1), ops.linspace(x, x + 1, 3, axis=1), ops.logspace(x, x + 0.5, 3), ops.geomspace(ops.exp(x), ops.exp(x + 1), 3),
        ops.full_like(x, 3.0), ops.select([ops.greater(x, 0), ops.less(x, -1)], [x, x * 2], 0.5), ops.isin(n, ops.convert_to_tensor(np.int32([1, 2]))),
        *ops.unravel_index(n[:, 0, 0], (3, 4)), ops.argsort(x), ops.sort(x, axis=1), *ops.top_k(x, 2), ops.in_top_k(n[:, 0, 0], x[:, 0, :], 2), ops.searchsorted(ops.convert_to_tensor(np.float32([-1, 0, 1])), ops.reshape(x[:, 0, 0], (-1,))),
        ops.ndim(x), x[:, ::-1, 1:5:2], x[:, 3:0:-2], x[:, -1, None, ..., 4:1:-1], ops.one_hot(n[:, 0], 5),
    ]
    draw = Draw("io_places")
    return keras.Model([x, n], outputs, name="io_places"), [draw.distinct(2, 4, 6), draw.i(2, 4, 6, low=0, high=6)]


def io_fixed():
    """Sizes known."""
    x, v, u, n = keras.Input(batch_shape=(4, 6)), keras.Input(batch_shape=(5,)), keras.Input(batch_shape=(2, 6)), keras.Input(batch_shape=(4,), dtype="int32")
    outputs = [
        ops.diag(v), ops.diag(x), ops.diagflat(x[:2, :2], 1), ops.vander(v, 3), ops.kron(u, u), *ops.meshgrid(v, v), ops.correlate(v, ops.convert_to_tensor(np.float32([1, 2, 3])), mode="same"),
        ops.corrcoef(x), ops.roll(x, 3), ops.scatter(ops.expand_dims(n, 1), x, (4, 6)), ops.scatter_update(x, [[0], [2]], u), ops.scatter_update(x, [[0], [2]], u, reduction="max"),
        ops.slice(x, [1, 2], [2, 3]), ops.slice_update(x, [1, 0], u), ops.segment_sum(x, n, num_segments=4), ops.segment_max(x, n, num_segments=2), ops.size(x),
        ops.image.map_coordinates(x, ops.convert_to_tensor(np.float32([[0.5, 1.5], [2.5, 0.2]])), 1), ops.lstsq(x[:, :3], u[0, :4]), ops.trace(x), ops.vsplit(x, 2)[1], ops.norm(x),
    ]
    draw = Draw("io_fixed")
    return keras.Model([x, v, u, n], outputs, name="io_fixed"), [draw.f(4, 6), draw.distinct(5), draw.f(2, 6), np.int32([0, 1, 1, 0])]


def io_networks():
    p, s = keras.Input((8, 8, 4)), keras.Input((8, 4))
    stat = ops.convert_to_tensor(np.float32([0.5, 1, 1.5, 2]))
    q = ops.reshape(s, (-1, 8, 2, 2))
    target = ops.softmax(s)
    outputs = [
        ops.adaptive_average_pool(p, (3, 2)), ops.adaptive_max_pool(s, (3,)), ops.average_pool(s, 2), ops.max_pool(s, 3, 2, "same"), ops.conv(s, filled(3, 4, 2), padding="same"),
        ops.separable_conv(p, filled(3, 3, 4, 1), filled(1, 1, 4, 3)),
        ops.batch_normalization(p, stat, stat, -1, offset=stat, scale=stat), ops.layer_normalization(p, stat, stat, axis=-1), ops.rms_normalization(p, stat), ops.normalize(s), ops.normalize(s, axis=1, order=3),
        *ops.moments(p, [1, 2]), ops.binary_crossentropy(target, 0.1 + 0.8 * ops.square(ops.sin(s))), ops.categorical_crossentropy(target, s, from_logits=True), ops.sparse_categorical_crossentropy(ops.argmax(s, axis=-1), target),
        ops.depth_to_space(p, 2), ops.space_to_depth(p, 2), ops.unfold(p, 3, stride=2), ops.fold(ops.reshape(p, (-1, 8, 32)), (5, 9), 2), ops.multi_hot(ops.argmax(s, axis=-1), 4),
        ops.dot_product_attention(q, q, q), ops.dot_product_attention(q, q, q, is_causal=True, scale=0.5), ops.glu(s), ops.hard_shrink(s), ops.soft_shrink(s, 0.2), ops.sparse_plus(s), ops.sparse_sigmoid(s),
        ops.sparsemax(s), ops.squareplus(s), ops.extract_sequences(ops.transpose(s, (0, 2, 1)), 3, 2), *ops.fft((s, s)), *ops.fft2((s, s)), *ops.ifft2((s, s)), *ops.rfft(s), *ops.rfft(s, 6),
        ops.irfft((s, s)), *ops.stft(ops.transpose(s, (0, 2, 1)), 4, 2, 4), ops.istft((s[..., :3], s[..., 1:]), 4, 2, 4),
    ]
    draw = Draw("io_networks")
    return keras.Model([p, s], outputs, name="io_networks"), [draw.f(2, 8, 8, 4), draw.f(2, 8, 4)]


def io_linalg():
    x, t = keras.Input((3, 3)), keras.Input((4, 3))
    positive = ops.matmul(ops.transpose(t, (0, 2, 1)), t) + ops.eye(3)
    outputs = [
        ops.cholesky(positive), ops.cholesky_inverse(positive), ops.det(x), ops.inv(positive), *ops.slogdet(x), ops.logdet(positive), ops.solve(positive, x), ops.solve_triangular(positive, x, lower=True),
        *ops.qr(t), *ops.svd(t, full_matrices=False), ops.svd(t, compute_uv=False), ops.eigh(positive)[0], ops.pinv(t), ops.matrix_rank(t), ops.norm(t, axis=1),
        ops.norm(t, ord="fro", axis=(1, 2)), ops.norm(t, ord="nuc", axis=(1, 2)), ops.norm(t, ord=1, axis=(1, 2), keepdims=True), ops.norm(t, ord=2, axis=(1, 2)), ops.norm(t, ord=3, axis=2), ops.cdist(t, x),
    ]
    draw = Draw("io_linalg")
    return keras.Model([x, t], outputs, name="io_linalg"), [draw.f(2, 3, 3) + 2 * np.eye(3, dtype="float32"), draw.f(2, 4, 3)]


def io_pictures():
    p, t = keras.Input((6, 7, 3)), keras.Input((8,))
    corners = ops.convert_to_tensor(np.float32([[0, 0], [5, 0.5], [0.3, 4], [5.5, 4.2]]))
    outputs = [
        ops.image.resize(p, (3, 9)), ops.image.resize(p, (9, 5), interpolation="nearest"), ops.image.resize(p, (3, 4), antialias=True), ops.image.affine_transform(p, t),
        ops.image.affine_transform(p, t, interpolation="nearest", fill_mode="reflect"), ops.image.perspective_transform(p, corners, corners + 0.3), ops.image.rgb_to_grayscale(p), ops.image.rgb_to_hsv(p),
        ops.image.hsv_to_rgb(p), ops.image.crop_images(p, 1, 1, target_height=3, target_width=4), ops.image.pad_images(p, 1, 2, 3, 0), ops.image.extract_patches(p, (2, 3)), ops.image.extract_patches(p, (3, 3), strides=2, padding="same"),
        ops.image.sobel_edges(p), ops.image.gaussian_blur(p, (3, 3), (0.8, 1.2)),
        ops.image.scale_and_translate(p, (2, 9, 5, 3), np.float32([1.4, 0.8]), np.float32([0.5, -0.2]), (1, 2), "cubic"), ops.image.ssim(p, p * 0.8 + 0.1, filter_size=5),
    ]
    draw = Draw("io_pictures")
    return keras.Model([p, t], outputs, name="io_pictures"), [draw.f(2, 6, 7, 3, low=0, high=1), np.float32([[0.9, 0.2, -0.43, -0.1, 1.1, 0.32, 0, 0], [0.8, -0.3, 2.1, 0.4, 0.9, -1.2, 0.01, -0.02]])]


def io_first():
    """Channels first, as far as Keras runs it on a CPU; every way to another size."""
    p, v, q = keras.Input((3, 8, 9)), keras.Input((2, 4, 5, 6)), keras.Input((8, 9, 3))
    first = dict(data_format="channels_first")
    outputs = [
        ops.conv(v, filled(2, 2, 2, 2, 3), padding="same", **first), ops.depthwise_conv(p, filled(3, 3, 3, 2), **first), ops.separable_conv(p, filled(3, 3, 3, 1), filled(1, 1, 3, 4), **first),
        ops.max_pool(p, 2, **first), ops.average_pool(p, (2, 3), padding="same", **first), ops.adaptive_average_pool(p, (3, 2), **first), ops.adaptive_max_pool(p, (3, 2), **first),
        ops.image.resize(p, (4, 5), **first), ops.image.resize(p, (4, 7), crop_to_aspect_ratio=True, **first),
        ops.image.resize(p, (4, 7), interpolation="bicubic", pad_to_aspect_ratio=True, fill_value=0.5, **first), ops.image.resize(q, (4, 7), interpolation="lanczos3", antialias=True),
        ops.image.resize(q, (11, 4), interpolation="lanczos5", crop_to_aspect_ratio=True), ops.image.resize(q, (11, 4), interpolation="nearest", pad_to_aspect_ratio=True),
    ]
    draw = Draw("io_first")
    return keras.Model([p, v, q], outputs, name="io_first"), [draw.f(2, 3, 8, 9), draw.f(2, 2, 4, 5, 6), draw.f(2, 8, 9, 3)]


def io_elastic():
    """elastic_transform where no random number shows: nothing is moved, or everything is alike."""
    p, q = keras.Input((6, 7, 3)), keras.Input((3, 8, 9))
    bend = ops.image.elastic_transform
    outputs = [
        bend(p, alpha=0.0), bend(p, alpha=0.0, sigma=1.2, interpolation="nearest", fill_mode="wrap", seed=7), bend(p * 0 + 0.25, fill_mode="nearest", seed=3), bend(p * 0 + 0.5, 2.0, 1.5, seed=4),
        bend(q, alpha=0.0, fill_mode="constant", fill_value=0.5, seed=5, data_format="channels_first"),
    ]
    draw = Draw("io_elastic")
    return keras.Model([p, q], outputs, name="io_elastic"), [draw.f(2, 6, 7, 3), draw.f(2, 3, 8, 9)]


def io_complex():
    """Complex numbers; those that are outputs are recorded as pairs."""
    x, y, m = keras.Input((3, 4)), keras.Input((3, 4)), keras.Input((4, 4))
    a, b = ops.polar(x, y), ops.polar(y, x * 2)
    values, vectors = ops.linalg.eig(m)
    view = ops.view_as_real
    outputs = [
        a, ops.real(a), ops.imag(a), ops.abs(a), ops.absolute(b), ops.angle(a), ops.fabs(b), ops.isreal(a), view(a), view(ops.conj(a)), view(ops.conjugate(b)), view(a + b), view(a - y), view(2.0 + a),
        view(a * b), view(a * y), view(b * 0.5), view(a / b), view(y / a), ops.view_as_real(ops.divide_no_nan(a, b)), view(ops.exp(a)), view(ops.log(a)), view(ops.sqrt(a)), view(ops.square(a)), view(-a),
        view(ops.sin(a)), view(ops.cos(a)), view(ops.sign(b)), view(ops.reciprocal(a)), view(ops.sum(a, axis=1)), view(ops.mean(a, axis=-1, keepdims=True)), view(ops.cumsum(a, axis=1)),
        view(ops.reshape(a, (-1, 12))), view(ops.transpose(a, (0, 2, 1))), view(ops.swapaxes(a, 1, 2)), view(ops.matmul(a, ops.transpose(b, (0, 2, 1)))), view(ops.einsum("bij,bkj->bik", a, b)), view(ops.dot(a, filled(4, 2))),
        view(ops.stack([a, b], axis=1)), view(ops.concatenate([a, b], axis=-1)), view(ops.where(ops.greater(x, 0.9), a, b)), view(ops.take(a, [2, 0], axis=1)), view(a[:, 1:, 0]), view(ops.expand_dims(a, 1)),
        view(ops.flip(a, axis=2)), view(ops.repeat(a, 2, axis=1)), view(ops.tile(a, (1, 2, 1))), view(ops.pad(a, ((0, 0), (1, 0), (0, 2)))), view(ops.roll(a, 1, axis=2)), view(ops.split(a, 2, axis=2)[1]),
        view(ops.unstack(a, 3, axis=1)[2]), view(ops.zeros_like(a)), view(ops.ones_like(a)), ops.equal(a, b), ops.not_equal(a, b), view(ops.diagonal(a, axis1=1, axis2=2)), view(ops.trace(a, axis1=1, axis2=2)),
        values, ops.abs(vectors), ops.abs(ops.matmul(m, vectors)), ops.abs(vectors * ops.expand_dims(values, 1)),
    ]
    draw = Draw("io_complex")
    return keras.Model([x, y, m], outputs, name="io_complex"), [draw.f(2, 3, 4, low=0.3, high=1.5), draw.f(2, 3, 4, low=0.2, high=1.2), draw.f(2, 4, 4)]


def io_values():
    """Results whose size depends on values."""
    x, n = keras.Input((3, 4)), keras.Input((5,), dtype="int32")
    places = ops.nonzero(ops.greater(x, 0.2))
    values, counts = ops.unique(n, return_counts=True)
    outputs = [*places, ops.take(ops.reshape(x, (-1,)), places[1]), values, counts, ops.unique(ops.reshape(n, (-1,))), ops.cast(values, "float32") * 2.0, ops.bincount(n)]
    draw = Draw("io_values")
    return keras.Model([x, n], outputs, name="io_values"), [draw.f(2, 3, 4), np.int32([[1, 3, 3, 0, 7], [2, 3, 1, 1, 0]])]


def recorded(y):
    y = np.asarray(y)
    return np.stack([y.real, y.imag], -1) if np.iscomplexobj(y) else y


MODELS = {m.__name__: m for m in (io_numbers, io_places, io_fixed, io_networks, io_linalg, io_pictures, io_first, io_elastic, io_complex, io_values)}

if __name__ == "__main__":
    for name, make in MODELS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        keras.utils.clear_session()
        model, inputs = make()
        model.save(golden.HERE / f"{name}.keras")
        outputs = [recorded(y) for y in model(inputs)]
        arrays = {f"in_{k}": x for k, x in enumerate(inputs)} | {f"out_{k}": y for k, y in enumerate(outputs)}
        golden.save(golden.HERE / f"{name}_io.npz", {**arrays, "meta": golden.text(golden.meta(__file__))})
        print(f"{name}: {(golden.HERE / f'{name}.keras').stat().st_size / 1024:.0f} KiB, {len(outputs)} outputs")
