"""Level 0: a stream of counter-based random numbers, which the sampling kernels read."""

import numpy as np


class Stream:
    """Hands out ranges of the counter of one keyed sequence (see ``_kernels.squares32``).

    A kernel that draws for a buffer of n numbers takes n counters; the whole state of the
    generator is ``key`` and ``position``.
    """

    def __init__(self, random_state):
        self.key = _draw_key(random_state)
        self.position = 0

    def take(self, n):
        """Reserve n counters; returns the first of them and the key, for a kernel."""
        start = np.uint64(self.position)
        self.position += int(n)
        return start, self.key

    def get_state(self):
        """All of it."""
        return {"key": self.key, "position": self.position}

    def set_state(self, state):
        """Go on from there."""
        vars(self).update(state)


def _draw_key(random_state):
    """Draw a key of the form Widynski asks for: distinct non-zero hex digits, odd."""
    high = random_state.permutation(np.arange(1, 16))[:8]
    low = random_state.permutation(np.arange(1, 16))[:8]
    odd = np.flatnonzero(low % 2)[0]  # 8 of 15 digits, 7 of them even: one is odd
    low[[-1, odd]] = low[[odd, -1]]
    return np.uint64(int("".join(f"{digit:x}" for digit in (*high, *low)), 16))
