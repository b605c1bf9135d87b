"""PyTorch: Linear without gradients, and the MLP step eagerly and compiled."""
import torch

from common import RATE, THREADS, dense_values, head, mlp_values, serve, two_losses

torch.set_num_threads(THREADS)


def dense_cases():
    x, w, b = (torch.from_numpy(v) for v in dense_values())
    layer = torch.nn.Linear(10, 10)
    with torch.no_grad():
        layer.weight.copy_(w.T)
        layer.bias.copy_(b)

    def no_grad():
        with torch.no_grad():
            return layer(x)

    def inference():
        with torch.inference_mode():
            return layer(x)

    return {"dense.no_grad": (no_grad, 10, head(no_grad())), "dense.inference_mode": (inference, 10, head(inference()))}


def mlp_step(compiled):
    x, labels, weights = mlp_values()
    x, labels = torch.from_numpy(x), torch.from_numpy(labels).long()
    model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    with torch.no_grad():
        for p, w in zip(model.parameters(), weights):
            p.copy_(torch.from_numpy(w.T if w.ndim == 2 else w))
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    loss_of = torch.nn.CrossEntropyLoss()

    def forward():
        return loss_of(model(x), labels)

    forward = torch.compile(forward) if compiled else forward

    def step():
        optimizer.zero_grad()
        loss = forward()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


cases = dense_cases()
for name, compiled in (("mlp.eager", False), ("mlp.compiled", True)):
    step = mlp_step(compiled)
    cases[name] = (step, 5, two_losses(step))
serve(cases, f"torch {torch.__version__}")
