"""
Backpropagation, step by step
=============================

The classical walk-through of backpropagation: one hidden layer of 28 logistic units, ten
logistic outputs, half the squared error, weights from N(0, 1), a learning rate of 0.25, and
a single image of a five, shown 250 times. Nothing is learned about digits; one can watch
the ten outputs go to 0, and that of the five to 1.

With the outputs ``o``, the targets ``t``, the hidden activations ``h`` and the image ``x``,
a step is (Rumelhart, Hinton and Williams 1986, "Learning representations by
back-propagating errors", Nature 323, 533-536)::

    delta_o = (o - t) * o * (1 - o)            W_2 -= rate * outer(h, delta_o)
                                               b_2 -= rate * delta_o
    delta_h = (W_2 @ delta_o) * h * (1 - h)    W_1 -= rate * outer(x, delta_h)
                                               b_1 -= rate * delta_h

Weights and biases go against the gradient alike. A well-known tutorial with these settings
subtracts ``rate * delta`` from the weights and adds it to the biases: the sign of its bias
update is wrong. The weights outvote the biases, so that its error falls all the same, only
more slowly. Both are drawn at the end.

Weights from N(0, 1) are large for hundreds of pixels: an output may start next to 1 and
stay there for long, because its error is multiplied by ``o * (1 - o)``. So the draw of the
weights decides, and the last part counts how often. That is why networks are trained on
cross-entropies and start from smaller weights today. The tutorial had a good draw: its
network answers 4 until step 50 and 5 from step 60, and after 250 steps the output of the
five is 0.975 and no other above 0.028. On MNIST, the draw here is one like that.

It takes the digits that come with scikit-learn, 64-28-10, or MNIST, 784-28-10, if the
environment variable ``SKDBN_DATA`` names the folder of its files.
"""

# %%
# The image of a five and the weights
# -----------------------------------
# MNIST comes in IDX files: two zeros, a code for the type of the numbers, how many
# dimensions there are, the size of each, and the numbers. The digits of scikit-learn go
# through such a file too, so that :func:`~skdbn.datasets.read_idx` is seen at work.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_digits

from skdbn import MLPRegressor
from skdbn.datasets import load_mnist, read_idx
from skdbn.losses import SquaredError
from skdbn.optimizers import SGD

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X, y = X[:1000] / 255, y[:1000]
else:
    X, y = load_digits(return_X_y=True)
    header = bytes([0, 0, 0x08, X.ndim]) + np.array(X.shape, ">u4").tobytes()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "digits-idx2-ubyte"
        path.write_bytes(header + X.astype(np.uint8).tobytes())
        X = read_idx(path) / 16
five = X[y == 5][:1].astype(np.float64)
target = np.eye(10)[[5]]
n_pixels, n_hidden, rate, n_steps = five.shape[1], 28, 0.25, 250


def draw(seed):
    """Weights and biases of both layers."""
    rng = np.random.default_rng(seed)
    shapes = (n_pixels, n_hidden), n_hidden, (n_hidden, 10), 10
    return [rng.normal(size=shape) for shape in shapes]


W_1, b_1, W_2, b_2 = start = draw(1 if folder else 2)

# %%
# 250 steps
# ---------
# Each call of ``partial_fit`` is one epoch over the rows it gets, here one step on one row.

network = MLPRegressor(
    (n_hidden,),
    activation="logistic",
    loss=SquaredError("logistic"),
    init=([W_1, W_2], [b_1, b_2]),
    solver=SGD(momentum=0.0, nesterov=False),
    learning_rate=rate,
    alpha=0.0,
    dtype="float64",
)
print("iteration  error   outputs for the digits 0 to 9")
for step in range(1, n_steps + 1):
    network.partial_fit(five, target)
    if step % 10 == 0:
        outputs = network.predict(five)[0]
        error = 0.5 * np.sum((outputs - target) ** 2)
        row = " ".join(f"{o:.3f}" for o in outputs)
        print(f"{step:9d}  {error:.4f}  {row}  answer {outputs.argmax()}")

# %%
# By hand, and with the wrong sign
# --------------------------------


def outputs_by_hand(weights, sign_of_biases=1):
    """Outputs before each step, and after the last, by the formulas above."""
    U, c, V, d = (a.copy() for a in weights)
    outputs = []
    for _ in range(n_steps + 1):
        h = expit(five[0] @ U + c)
        o = expit(h @ V + d)
        outputs.append(o)
        delta_o = (o - target[0]) * o * (1 - o)
        delta_h = (V @ delta_o) * h * (1 - h)
        V -= rate * np.outer(h, delta_o)
        d -= rate * sign_of_biases * delta_o
        U -= rate * np.outer(five[0], delta_h)
        c -= rate * sign_of_biases * delta_h
    return np.array(outputs)


def errors(outputs):
    """Half the squared error of each row of outputs."""
    return 0.5 * np.square(outputs - target).sum(axis=1)


right, wrong = errors(outputs_by_hand(start)), errors(outputs_by_hand(start, -1))
difference = np.abs(right[:-1] - network.loss_curve_).max()
print(f"largest difference from the formulas by hand: {difference:.1e}")
print(f"error after {n_steps} steps: {right[-1]:.4f}, with the wrong sign {wrong[-1]:.4f}")

# %%
# Good draws and bad ones
# -----------------------
# After 250 steps, is each output within 0.05 of its target? Where one is not, it began so
# close to the wrong end that its error hardly moves it.

n_draws = 50
last = np.array([outputs_by_hand(draw(seed))[-1] for seed in range(n_draws)])
reached = (np.abs(last - target) < 0.05).all(axis=1)
print(f"{reached.sum()} of {n_draws} draws of the weights get there")

# %%
# The errors
# ----------

figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
steps = np.arange(n_steps)
axes.plot(steps, network.loss_curve_, color="#0072b2", lw=2, label="backpropagation")
axes.plot(steps, wrong[:-1], color="#d55e00", lw=2, label="biases with the wrong sign")
axes.set_xlabel("step")
axes.set_ylabel("half the squared error")
axes.set_yscale("log")
axes.set_title(f"One image of a five, {n_pixels}-{n_hidden}-10", loc="left", fontsize=11)
axes.grid(color="#e6e6e6")
axes.set_axisbelow(True)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)

plt.show()
