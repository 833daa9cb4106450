"""What an optimiser does that changes what another one does."""

from ._base import MiniBatchOptimizer


class OptimizerWrapper(MiniBatchOptimizer):
    """Base class of optimisers that leave the step itself to another one."""

    _parameter_constraints: dict = {"optimizer": [MiniBatchOptimizer]}

    @property
    def learning_rate(self):
        """What ``learning_rate="auto"`` means, with the optimiser inside."""
        return self.optimizer.learning_rate

    @property
    def needs_whole_gradient(self):
        return self.optimizer.needs_whole_gradient

    def init_state(self, theta):
        return self.optimizer.init_state(theta)

    def numbers(self, n_steps, learning_rate, t, max_iter):
        return self.optimizer.numbers(n_steps, learning_rate, t, max_iter)

    def update(self, theta, gradient, *arrays_and_numbers):
        self.optimizer.update(theta, gradient, *arrays_and_numbers)

    def limit(self, gradient):
        self.optimizer.limit(gradient)

    def descend(self, theta, gradient, state, where, decay, numbers):
        self.optimizer.descend(theta, gradient, state, where, decay, numbers)

    def finish(self, theta, state, t):
        self.optimizer.finish(theta, state, t)

    def solution(self, theta, state):
        return self.optimizer.solution(theta, state)
