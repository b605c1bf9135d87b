"""JAX: jit, with and without donated weights."""
import jax
import jax.numpy as jnp

from common import RATE, dense_values, head, mlp_values, serve, two_losses


def dense_cases():
    x, w, b = (jnp.array(v) for v in dense_values())
    f = jax.jit(lambda w, b, x: x @ w + b)

    def call():
        return f(w, b, x).block_until_ready()

    return {"dense.jit": (call, 20, head(call()))}


def mlp_step(donate):
    x, labels, weights = mlp_values()
    x, labels = jnp.array(x), jnp.array(labels)
    state = [jnp.array(w, copy=True) for w in weights]

    def loss_of(p, x, y):
        logits = jax.nn.relu(x @ p[0] + p[1]) @ p[2] + p[3]
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(32), y])

    def update(p, x, y):
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        return [a - RATE * b for a, b in zip(p, g)], loss

    jitted = jax.jit(update, donate_argnums=0 if donate else ())

    def step():
        nonlocal state
        state, loss = jitted(state, x, labels)
        return loss.block_until_ready()

    return step


cases = dense_cases()
for name, donate in (("mlp.jit", False), ("mlp.jit_donated", True)):
    step = mlp_step(donate)
    cases[name] = (step, 5, two_losses(step))
serve(cases, f"jax {jax.__version__}")
