"""What a model draws."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array

from ._figure import axes_for
from ._images import draw_grid, resolve_shape
from ._models import dense, last_step


class SampleDisplay:
    """Gibbs chains: one a line, its states from left to right.

    Neighbours that are alike mean that a chain moves slowly; lines that are alike, that the
    model has few images. All images have one scale of colours.

    Use :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    chains : ndarray of shape (n_chains, n_states, n_features)
        States of the visible units.
    steps : list of int of length n_states
        The Gibbs steps from the start to each state.
    image_shape : tuple of int, default=None
        Height and width of the images; None for square ones.

    Attributes
    ----------
    im_ : AxesImage
        All images as one.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.plotting import SampleDisplay
    >>> X = load_digits().data / 16
    >>> rbm = RBM(64, max_iter=5, random_state=0).fit(X)
    >>> display = SampleDisplay.from_estimator(rbm, X[:4], n_states=5, thin=10)
    >>> display.steps
    [0, 10, 20, 30, 40, 50]
    """

    def __init__(self, chains, steps, *, image_shape=None):
        self.chains = chains
        self.steps = steps
        self.image_shape = image_shape

    def plot(self, *, ax=None, im_kw=None):
        """Draw the chains.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : SampleDisplay
        """
        n_chains, n_states, n_features = self.chains.shape
        shape = resolve_shape(self.image_shape, n_features)
        self.ax_ = axes_for(ax, self, (0.8 + 0.7 * n_states, 0.7 + 0.7 * n_chains))
        self.figure_ = self.ax_.figure
        self.im_ = draw_grid(
            self.ax_,
            self.chains.reshape(n_chains, n_states, *shape),
            row_labels=[f"chain {i}" for i in range(1, n_chains + 1)],
            column_labels=[str(step) for step in self.steps],
            **(im_kw or {}),
        )
        self.ax_.set_xlabel("Gibbs steps")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        n_chains=8,
        n_states=10,
        thin=100,
        image_shape=None,
        ax=None,
        im_kw=None,
    ):
        """Run chains of a fitted model and draw their states.

        Parameters
        ----------
        estimator : estimator instance
            A fitted :class:`~skdbn.RBM`, :class:`~skdbn.StackedRBM` or BernoulliRBM. Of a
            pipeline the last step is shown, with the rows that reach it.
        X : {array-like, sparse matrix} of shape (n_chains, n_features), default=None
            Where the chains start, which is the first column of images. None starts an RBM
            or a stack of this package where a model without weights would.
        n_chains : int, default=8
            Number of chains, where X does not say it.
        n_states : int, default=10
            States of each chain to draw.
        thin : int, default=100
            Gibbs steps between two of them, and before the first.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : SampleDisplay

        Raises
        ------
        ValueError
            If the estimator draws nothing, or X does not fit it.

        Notes
        -----
        States are drawn, not means: black and white with Bernoulli units. Of a stack the
        chains are in the top RBM, and each state is one way down from there, as in
        :meth:`skdbn.StackedRBM.sample`.
        """
        for name, number in (
            ("n_states", n_states),
            ("thin", thin),
            ("n_chains", n_chains),
        ):
            check_scalar(number, name, Integral, min_val=1)
        model, start = last_step(estimator, X)
        n_chains = n_chains if X is None else start.shape[0]
        states = model.run_chains(start, n_chains, n_states, thin)
        steps = [thin * i for i in range(1, n_states + 1)]
        if X is not None:
            states, steps = [dense(start), *states], [0, *steps]
        display = cls(np.stack(states, axis=1), steps, image_shape=image_shape)
        return display.plot(ax=ax, im_kw=im_kw)

    @classmethod
    def from_predictions(cls, chains, *, steps=None, image_shape=None, ax=None, im_kw=None):
        """Draw states of chains that are there.

        Parameters
        ----------
        chains : array-like of shape (n_chains, n_states, n_features)
            States of the visible units.
        steps : list of int, default=None
            The Gibbs steps from the start to each state; None counts from 1.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : SampleDisplay

        Raises
        ------
        ValueError
            If ``chains`` are not finite or do not have three dimensions, or there is not
            one number of steps for each state.
        """
        chains = check_array(chains, allow_nd=True)
        if chains.ndim != 3:
            raise ValueError(
                "chains must have the shape (n_chains, n_states, n_features), got "
                f"{chains.shape}."
            )
        n_states = chains.shape[1]
        steps = list(range(1, n_states + 1) if steps is None else steps)
        if len(steps) != n_states:
            raise ValueError(f"There are {n_states} states, but {len(steps)} steps.")
        display = cls(chains, steps, image_shape=image_shape)
        return display.plot(ax=ax, im_kw=im_kw)
