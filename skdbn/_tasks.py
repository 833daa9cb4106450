"""Level 3: the tree of callback tasks, and where a fit that was killed is found again."""

from contextlib import contextmanager

from ._sklearn import callbacks_of

# What a Checkpoint calls the journal that it hangs on the task of a fit.
JOURNAL = "_skdbn_journal"


class Task:
    """A node of the tree of callback tasks, with what callbacks may ask for.

    Parameters
    ----------
    estimator : estimator with callback support
    context : sklearn.callback.CallbackContext
    X, y : the data as the user gave them
    """

    def __init__(self, estimator, context, X, y):
        self.estimator = estimator
        self.context = context
        # An unsupervised estimator is its own target: scorers are called with (X, y).
        self.data = {"X": X, "y": X if y is None else y}

    @classmethod
    def root(cls, estimator, X, y, max_subtasks, origin=None):
        """Open the task of a whole fit.

        ``origin`` is all data that the fit depends on; without, it cannot be resumed.
        """
        context = estimator._init_callback_context(max_subtasks=max_subtasks)
        journal = getattr(context, JOURNAL, None)
        if journal is not None and origin is not None:
            journal.open(estimator, origin)
        return cls(estimator, context, X, y).begin()

    def subtask(self, name, max_subtasks=0):
        """Make the next task below this one, which is still to begin."""
        context = self.context.subcontext(task_name=name, max_subtasks=max_subtasks)
        return Task(self.estimator, context, **self.data)

    def begin(self):
        """Tell the callbacks that the task begins."""
        self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return self

    def end(self, attributes=None):
        """Tell the callbacks that the task has ended; returns whether one says stop.

        ``attributes`` is a function that returns the fitted attributes so far as a dict.
        """
        return self.context.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.data
        )

    def end_fit(self, attributes):
        """End the task of a whole fit, which has all it was to have."""
        self.end(attributes)
        if self._own_journal is not None:
            self._own_journal.complete()

    @contextmanager
    def begin_for(self, estimator):
        """Begin the task, which stands for the fit of a sub-estimator in the context."""
        # Inside, as callbacks that are handed on are told by the sub-estimator.
        with self.context.propagate_callback_context(estimator):
            self.begin()
            yield

    # -- going on with a fit that was killed ----------------------------------------------
    def begin_random(self, random_state):
        """The generator of a fit, which begins where the fit to be resumed began."""
        if self._own_journal is None:
            return random_state
        return self._own_journal.begin_random(random_state)

    def resume(self, parts):
        """Bring what is trained to where it was kept; returns whether it was.

        ``parts`` are objects with ``get_state`` and ``set_state``, by name.
        """
        journal, key = self._journal()
        states = journal and journal.find(key)
        if not states:
            return False
        for name, part in {**parts, **self._callbacks()}.items():
            if name in states:
                part.set_state(states[name])
        return True

    def keep_start(self, parts, where):
        """Keep the state before the first epoch of all, if somebody wants it."""
        journal, key = self._journal()
        if journal is not None and not journal.states:
            journal.keep_start(key, self._states(parts), where)

    def keep(self, parts, where, final=False):
        """Keep the state of what is trained, if somebody wants it now."""
        journal, key = self._journal()
        if journal is not None and journal.is_due(final):
            journal.keep(key, self._states(parts), where)

    def _states(self, parts):
        """The states of what is trained and of the callbacks, by name."""
        parts = {**parts, **self._callbacks()}
        return {name: part.get_state() for name, part in parts.items()}

    @property
    def _own_journal(self):
        """The journal that hangs on this very task, if it is open."""
        journal = getattr(self.context, JOURNAL, None)
        return journal if journal is not None and journal.is_open else None

    def _journal(self):
        """The nearest journal that is open, and what this task is called in it."""
        names, context = [], self.context
        while context is not None:
            journal = getattr(context, JOURNAL, None)
            if journal is not None:
                return (
                    (journal, "/".join(reversed(names))) if journal.is_open else (None, "")
                )
            names.append(f"{context.task_name} {context.task_id}")
            context = context.parent
        return None, ""

    def _callbacks(self):
        """The callbacks whose state belongs to that of the fit, by name."""
        return {
            f"callback {i}": _OfEstimator(callback, self.estimator)
            for i, callback in enumerate(remembering_callbacks(self.estimator))
        }


def remembering_callbacks(estimator):
    """The callbacks of an estimator that have a state of their own."""
    return [
        callback for callback in callbacks_of(estimator) if hasattr(callback, "get_state")
    ]


class _OfEstimator:
    """A callback that may watch several estimators, as seen from one."""

    def __init__(self, callback, estimator):
        self.callback, self.estimator = callback, estimator

    def get_state(self):
        """What the callback knows of the fit."""
        return self.callback.get_state(self.estimator)

    def set_state(self, state):
        """Let the callback know what it knew."""
        self.callback.set_state(self.estimator, state)
