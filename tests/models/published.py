"""Networks with the stand-in weights of the goldens."""

import paddle

from paddlepose.engine.weights import torch_to_paddle
from paddlepose.models import network_class


def build(description, module, name, joints, arguments):
    """The network `name` with the golden's weights, whose names, order and number of parameters it has."""
    model = network_class(name)(joints, **arguments)
    fill(model, module, description["entries"])
    if "params" in description:
        assert sum(p.size for p in model.parameters() if not p.stop_gradient) == description["params"]
    return model


def fill(layer, module, entries):
    """Put the stand-in weights of `entries` into a layer that has exactly these."""
    state = torch_to_paddle(module.state_dict(entries))
    assert list(layer.state_dict()) == list(state)  # the published names, in the published order
    assert {key: tuple(value.shape) for key, value in layer.state_dict().items()} == {
        key: value.shape for key, value in state.items()
    }
    layer.set_state_dict(state)


def outputs(model, module, description):
    """What the network makes of the golden's input, in evaluation mode."""
    model.eval()
    with paddle.no_grad():
        found = model(paddle.to_tensor(module.image(description["input"]["shape"], description["input"]["seed"])))
    return [output.numpy() for output in found]


def weighted_batch(target, weight, dtype="float32"):
    return {"target": paddle.to_tensor(target.astype(dtype)), "weight": paddle.to_tensor(weight.astype(dtype))}


def gradient_norms(model, keys):
    """L2 norm of the gradients of the named parameters."""
    parameters = dict(model.named_parameters())
    return {key: float(parameters[key].grad.norm()) for key in keys}
