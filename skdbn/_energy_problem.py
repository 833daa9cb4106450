"""Level 3: what the mini-batch loop trains of an RBM: parameters and a step."""

from copy import deepcopy
from functools import partial

import numpy as np
from scipy import sparse

from ._flat import blend, flatten, squared_norm, views
from ._kernels import kernel
from ._phases import Phases
from ._threads import LEAST_UNITS, share, split
from .optimizers import SGD

# Share of the newest batch in the moving averages of the units' states.
_NEWEST = 0.01
# Weights beyond have exploded, even where bounded states keep the errors small.
_LARGEST_WEIGHT = 1000.0
# The most by which a step changes the logarithm of a variance, and all steps lower it: a
# variance that goes to zero makes the density of the data infinite.
_VARIANCE_STEP, _LOG_RANGE = 0.05, np.log(1e4)


class EnergyProblem:
    """An RBM that follows a sampler's estimate of the gradient of its log-likelihood.

    Parameters
    ----------
    data : ndarray or CSR of shape (n_samples, n_features)
    energy : Energy
        Where to start from; its parameters are copied.
    sampler : Sampler
    visible_mean : ndarray of shape (n_features,)
        Means of the columns of the data.
    sample_weight : ndarray of shape (n_samples,) or None
    learning_rate, momentum : Schedule
    penalty : Penalty
    center : bool
        Whether the gradient is that of the centred model.
    average : float or None
        Epochs over which the parameters are averaged.
    batch_size : int
    max_iter : int
        What the schedules take for the length of the fit.
    random_state : RandomState
    state : dict, default=None
        The ``state`` of an earlier problem to go on from.
    """

    def __init__(
        self,
        data,
        energy,
        sampler,
        *,
        visible_mean,
        sample_weight,
        learning_rate,
        momentum,
        penalty,
        center,
        average,
        batch_size,
        max_iter,
        random_state,
        state=None,
    ):
        self.data = data
        self.sample_weight = sample_weight
        weighs = np.ones(data.shape[0]) if sample_weight is None else sample_weight
        self.rows = np.flatnonzero(weighs)
        arrays = energy.parameters
        self._shapes = [array.shape for array in arrays]
        self._like = energy
        self.theta = flatten(arrays, energy.dtype)
        self.energy = self.model(self.theta)
        # The logarithms of the visible units' variances, where they are learned.
        self.own = self.energy.visible.parameters
        self._n_shared = sum(array.size for array in arrays[:3])
        self.gradient = np.empty_like(self.theta)
        self.gradients = views(self.gradient, self._shapes)
        self.sampler = sampler
        self.schedule = learning_rate
        self.n_lowered = 0
        self.optimizer = SGD(momentum, nesterov=False)
        self.penalty = penalty
        self.center = center
        self.average = average
        self.batch_size = batch_size
        self.max_iter = max_iter
        self._visible_mean = visible_mean
        # A copy, so that a step that fails leaves the caller's state alone.
        self.state = deepcopy(state) or self._init_state(visible_mean)
        n_chains = self._count_chains()
        self._resume_average()
        self.followed = self._followed_energy()
        n_components, n_features = self._shapes[0]
        self.phases = Phases(
            batch_size,
            n_chains,
            n_features,
            n_components,
            energy.dtype,
            random_state,
            sparse=sparse.issparse(data),
            counts_bias=not energy.visible.has_mean,
            memories=self.state["memories"],
        )
        self.state["memories"] = self.phases.memories
        # Sums of the hidden states driven by the data, negative, and by the model.
        self.hidden_sums = np.empty((2, n_components), energy.dtype)
        # Whether somebody wants to know the mean states of the units.
        self.follows_means = center or penalty.sparsity is not None
        self.excess = np.zeros(n_components, energy.dtype)

    def _init_state(self, visible_mean):
        """What changes while training, beside the parameters."""
        hidden = np.zeros((1, len(self.energy.hidden_bias)), self.theta.dtype)
        self.energy.hidden.mean(hidden, self.energy.hidden_bias)
        state = {
            "optimizer": self.optimizer.init_state(self.theta),
            "visible_mean": visible_mean.astype(self.theta.dtype),
            "hidden_mean": hidden[0],
            "memories": None,
            "followers": self.sampler.init_followers(self.theta),
            "n_averaged": 0,
            "rate_factor": 1.0,
        }
        if self.own is not None:
            state["lowest"] = self.own - _LOG_RANGE
        return state

    def _count_chains(self):
        """The number of chains, which is that of the first batches; or forget others'."""
        state, name = self.state, repr(self.sampler)
        if state.get("sampler") != name:
            followers = self.sampler.init_followers(self.theta)
            n_chains = self.sampler.count_chains(self.batch_size)
            state.update(sampler=name, n_chains=n_chains)
            state.update(memories=None, followers=followers)
        return state["n_chains"]

    def _resume_average(self):
        """Begin or go on with averages, which the energy is of in that case."""
        if not self.average:
            self.state.pop("average", None)
            return
        if "average" in self.state:
            self.theta[:] = self.state["theta"]
        else:
            self.state.update(average=self.theta.copy(), n_averaged=0)
        self.state["theta"] = self.theta

    def _followed_energy(self):
        """The model that the chains follow, where it is not the one that learns."""
        followers = self.state["followers"]
        return self.model(followers["theta"]) if "theta" in followers else self.energy

    @property
    def solution(self):
        """The parameters to keep: the averaged ones, where there are any."""
        return self.state["average"] if self.average else self.theta

    def learning_rate(self, t, max_iter):
        """Step size at time t."""
        return self.state["rate_factor"] * self.schedule(t, max_iter)

    def back_off(self, factor):
        """Multiply the learning rate from now on."""
        self.state["rate_factor"] *= factor

    def lower_rate(self):
        """Lower the learning rate, if it is one that can be; returns whether it was."""
        lowered = self.schedule.lowered()
        self.schedule = lowered or self.schedule
        self.n_lowered += lowered is not None
        return lowered is not None

    def is_sound(self):
        """Whether the parameters are finite and the weights not absurdly large."""
        if not np.isfinite(self.theta).all():
            return False
        scale = 1.0 if self.own is None else np.exp(0.5 * self.own)
        return bool(np.abs(self.energy.weights * scale).max() <= _LARGEST_WEIGHT)

    def model(self, theta):
        """The model with the parameters in a flat array, of which it has views."""
        return self._like.with_parameters(views(theta, self._shapes))

    def attributes(self):
        """Fitted attributes that tell how the sampler's chains did."""
        memories = [memory for memory in self.phases.memories if memory]
        return self.sampler.attributes(memories) if memories else {}

    def restore(self, theta):
        """Go back to earlier parameters, at rest, with new chains."""
        self.theta[:] = theta
        self.phases.forget()
        fresh, kept = self._init_state(self._visible_mean), ("rate_factor", "lowest")
        fresh.update({name: self.state[name] for name in kept if name in self.state})
        self.state.update(fresh, memories=self.phases.memories)
        if self.average:
            self.state["average"] = self.theta.copy()
        self.followed = self._followed_energy()

    def get_state(self):
        """All that changes while training."""
        own = {"theta", "memories"}
        return {
            "theta": self.theta,
            "memories": self.phases.memories,
            "streams": [stream.get_state() for stream in self.phases.streams],
            "rest": {k: v for k, v in self.state.items() if k not in own},
            "n_lowered": self.n_lowered,
        }

    def set_state(self, state):
        """Go on from there."""
        self.theta[:] = state["theta"]
        # In place: the parts of a batch have them too.
        for memory, kept in zip(self.phases.memories, state["memories"], strict=True):
            memory.clear()
            memory.update(kept)
        for stream, kept in zip(self.phases.streams, state["streams"], strict=True):
            stream.set_state(kept)
        self.state.update(state["rest"])
        self.followed = self._followed_energy()
        for _ in range(state["n_lowered"]):
            self.lower_rate()

    def batches(self, n_rows):
        """The slices of an epoch over so many rows."""
        return self.optimizer.batches(n_rows, self.batch_size)

    def step(self, rows, t):
        """Change the parameters for some rows; returns their reconstruction error."""
        n, parts = len(rows), self.phases.parts(len(rows))
        weight = self.phases.load_weights(self.sample_weight, rows)
        self._start_chains(parts, rows)
        if self.penalty.sparsity is not None:
            self.excess = self.penalty.excess(self.state["hidden_mean"])
        results = share(partial(self._run_chains, rows, weight), parts)
        self._sum_visible(parts, weight)
        if self.own is not None:
            self.gradients[3][:] = sum(own for _, own in results)
        self._descend(n, weight, t)
        return sum(error for error, _ in results) / (weight * self.data.shape[1])

    def _sum_visible(self, parts, weight):
        """Gradient of the visible biases; moves the mean of the data towards the batch."""
        total = self.gradients[1]
        np.subtract(parts[0].model_sum, parts[0].data_sum, out=total)
        for part in parts[1:]:
            total += part.model_sum
            total -= part.data_sum
        if self.follows_means:
            mean = self.state["visible_mean"]
            newest = sum(part.data_sum for part in parts) / mean.dtype.type(weight)
            blend(newest, _newest(mean), mean)

    def _start_chains(self, parts, rows):
        """Let chains that go on from batch to batch begin at rows of the first."""
        if self.phases.n_chains:
            rows = np.resize(rows, self.phases.n_chains)
            for part in parts:
                part.start(self.sampler, self.followed, self.data, rows)

    def _run_chains(self, rows, weight, part):
        """Both phases of a part of the batch.

        Returns its reconstruction error and the gradient of the visible units' own
        parameters.
        """
        energy = part.positive(self.energy, self.data, rows)
        own = None
        if self.own is not None:
            drive = part.hidden_data @ energy.weights
            terms = part.visible_data, drive, energy.visible_bias, part.weights
            own = energy.visible.parameter_gradient(*terms)
        self.sampler.negative(
            energy if self.followed is self.energy else self.followed, part
        )
        chain_weight = weight / (self.phases.n_chains or weight)
        return part.compare(energy, chain_weight, self.excess), own

    def _descend(self, n, weight, t):
        """Make a step with the gradient of n rows of a total weight."""
        W, b = self.energy.weights, self.gradients[1]
        pieces = split(len(W), LEAST_UNITS, 2 * n * W.size)
        rate = self.learning_rate(t, self.max_iter)
        form = partial(self._form, n, weight)
        if self.penalty.clip_norm is None:
            learn = self._learner(rate, weight, t)

            def form_and_learn(piece):
                back = form(piece)
                learn(piece)
                return back

            b -= sum(share(form_and_learn, pieces))
        else:  # the norm of the whole gradient comes before the step
            b -= sum(share(form, pieces))
            norm = np.sqrt(squared_norm(self.gradient)) / weight
            if norm > self.penalty.clip_norm:
                self.gradient *= self.theta.dtype.type(self.penalty.clip_norm / norm)
            learn = self._learner(rate, weight, t)
            share(learn, pieces)
        learn(None)
        if self.own is not None:
            self._learn_own(rate / weight)
            self._accompany(slice(None), weight)
        self.state["n_averaged"] += 1

    def _form(self, n, weight, components):
        """Gradient for the weights of some hidden units.

        Returns what centring takes from the gradient of the visible biases.
        """
        W, c = self.gradients[0][components], self.gradients[2][components]
        self.phases.gradient(n, components, W)
        if not self.follows_means:
            self.phases.sum_hidden(n, components, c)
            return 0.0
        data, model = self.hidden_sums[:, components]
        self.phases.sum_apart(n, components, data, model)
        np.add(data, model, out=c)
        mean = self.state["hidden_mean"][components]
        counted = W.dtype.type(self.phases.count(n, weight))
        newest = self.excess[components] - data / counted
        blend(newest, _newest(mean), mean)
        if not self.center:
            return 0.0
        back = np.zeros_like(self.gradients[1])
        _center(W, c, self.gradients[1], self.state["visible_mean"], mean, back)
        return back

    def _learner(self, rate, weight, t):
        """What makes a step for the weights of some hidden units, or for the biases."""
        # The gradient is a sum over rows: so the penalty is multiplied by their weight,
        # and the rate divided, which spares a pass over the weights.
        numbers = self.optimizer.begin(
            self.state["optimizer"], rate / weight, t, self.max_iter
        )
        decay = self.penalty.l2 * weight
        n_features = self._shapes[0][1]
        # Where variances are learned this comes later, as they change all parameters.
        accompanied = self.own is None and (self.average or self.state["followers"])

        def learn(components):
            if components is None:
                where = slice(self.energy.weights.size, self._n_shared)
                self._change(where, 0.0, numbers)
            else:
                ends = components.start * n_features, components.stop * n_features
                where = slice(*ends)
                self._change(where, decay, numbers)
                self.penalty.apply(self.energy.weights[components], rate)
            if accompanied:
                self._accompany(where, weight)

        return learn

    def _learn_own(self, rate):
        """A step for the logarithms of the variances, with scaled parameters held."""
        before = self.own.copy()
        step = np.clip(rate * self.gradients[3], -_VARIANCE_STEP, _VARIANCE_STEP)
        np.maximum(self.own + step, self.state["lowest"], out=self.own)
        scale = np.exp(0.5 * (before - self.own))
        self.energy.weights *= scale
        self.energy.visible_bias *= scale
        self.gradients[3][:] = 0  # nothing for others to follow

    def _change(self, where, decay, numbers):
        """The optimiser's step for a slice of the parameters."""
        state = self.state["optimizer"]
        self.optimizer.descend(self.theta, self.gradient, state, where, decay, numbers)

    def _accompany(self, where, weight):
        """What follows the parameters in a slice: fast weights and averages."""
        followers = self.state["followers"]
        self.sampler.follow(self.theta, self.gradient, followers, where, 1 / weight)
        if self.average:
            # The mean of all parameters so far, and later an exponential one.
            n_steps = self.average * len(self.rows) / self.batch_size
            newest = 1 / min(self.state["n_averaged"] + 1, max(n_steps, 1))
            theta, mean = self.theta[where], self.state["average"][where]
            blend(theta, theta.dtype.type(newest), mean)


def _newest(x):
    """The share of the newest batch in the dtype of the averages."""
    return x.dtype.type(_NEWEST)


@kernel
def _center(gradient, hidden_sum, visible_sum, visible_mean, hidden_mean, back):
    # Montavon & Mueller (2012), Melchior et al. (2016): the gradient of a model of states
    # minus their means, in terms of the parameters of the model as it is.
    for i in range(gradient.shape[0]):
        row, h, mean = gradient[i], hidden_sum[i], hidden_mean[i]
        total = row.dtype.type(0)
        for j in range(row.size):
            g = row[j] - h * visible_mean[j] - mean * visible_sum[j]
            row[j] = g
            back[j] += mean * g
            total += visible_mean[j] * g
        hidden_sum[i] = h - total
