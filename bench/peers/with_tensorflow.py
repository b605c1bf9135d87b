"""TensorFlow: Keras' Dense eagerly and in tf.function, and the MLP step in tf.function, each with and without XLA."""
import tensorflow as tf
import keras

from common import RATE, THREADS, dense_values, head, mlp_values, serve, two_losses

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def dense_cases():
    x, w, b = (tf.constant(v) for v in dense_values())
    layer = keras.layers.Dense(10)
    layer.build((None, 10))
    layer.set_weights([w.numpy(), b.numpy()])
    model = keras.Sequential([layer])
    model(x)
    kernel, bias = tf.Variable(w), tf.Variable(b)
    plain, xla = tf.function(layer), tf.function(layer, jit_compile=True)
    calls = {
        "dense.layer_eager": (lambda: layer(x), 2), "dense.model_eager": (lambda: model(x), 2),
        "dense.raw_ops_eager": (lambda: tf.nn.bias_add(tf.matmul(x, kernel), bias), 5),
        "dense.function": (lambda: plain(x), 5), "dense.function_xla": (lambda: xla(x), 5)}
    return {n: (f, inner, head(f())) for n, (f, inner) in calls.items()}


def mlp_cases():
    x, labels, weights = mlp_values()
    x, labels = tf.constant(x), tf.constant(labels)

    def step_of(xla):
        variables = [tf.Variable(w) for w in weights]

        @tf.function(jit_compile=xla)
        def step(x, y):
            w1, b1, w2, b2 = variables
            with tf.GradientTape() as tape:
                logits = tf.nn.relu(x @ w1 + b1) @ w2 + b2
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
            for v, g in zip(variables, tape.gradient(loss, variables)):
                v.assign_sub(RATE * g)
            return loss

        return lambda: step(x, labels)

    cases = {}
    for name, xla in (("mlp.function", False), ("mlp.function_xla", True)):
        step = step_of(xla)
        cases[name] = (step, 5, two_losses(step))
    return cases


serve({**dense_cases(), **mlp_cases()}, f"tensorflow {tf.__version__}, keras {keras.__version__}")
