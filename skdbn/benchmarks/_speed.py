"""``skdbn speed``: training beside the matrix products alone, and beside others."""

from skdbn.benchmarks import _report as report
from skdbn.benchmarks import _speed_report
from skdbn.benchmarks._speed_cases import CASES
from skdbn.benchmarks._speed_measure import measure, measure_busy
from skdbn.benchmarks._speed_peers import has_torch
from skdbn.benchmarks._speed_process import busy_neighbour, measure_memory, measure_startup

STARTUP = "start-up"
_ROUNDS, _QUICK_ROUNDS = 7, 3
_QUICK_SECONDS = 3  # for a case, after which no new round begins
_STARTUP_ROUNDS = 3


def list_cases():
    """Return the names of the cases with what they are."""
    lines = [f"{case.name:<16}{case.title}" for case in CASES]
    return "\n".join([*lines, f"{STARTUP:<16}import, and the first fit of a process"])


def check_names(names):
    """Return the names without repetition, refusing unknown ones."""
    known = [*(case.name for case in CASES), STARTUP]
    return report.check_names(names, known, "case")


class Session:
    """One call of the command: what it is to measure, and what it has measured so far.

    Parameters
    ----------
    names : list of str, default=None
        The cases; None for all, or with `quick` for those that matter most.
    quick : bool, default=False
        Whether to take fewer rows and repetitions.
    busy : bool, default=False
        Whether to measure beside a busy process instead of the cases.
    """

    def __init__(self, names=None, quick=False, busy=False):
        self.names = None if names is None else check_names(names)
        self.quick, self.busy = quick, busy
        self.document = {
            "environment": report.environment(),
            "quick": quick,
            "cases": [],
            "startup": None,
            "busy": None,
        }

    @property
    def failed(self):
        """Whether a case failed."""
        return any(result["error"] is not None for result in self.document["cases"])

    def run(self):
        """Measure, with a line for each case that is done."""
        _speed_report.warn_if_busy(self.document["environment"])
        if not has_torch():
            report.say("PyTorch is not installed: its rows are left out")
        if self.busy:
            self._run_busy()
            return
        chosen = [case for case in CASES if self._wants(case.name, case.in_quick)]
        self._say_left_out(chosen)
        for i, case in enumerate(chosen):
            result = self._run_case(case)
            self.document["cases"].append(result)
            report.say(f"[{i + 1}/{len(chosen)}] {_speed_report.summary(result)}")
        for result in self.document["cases"]:
            self._add_memory(result)
        if self._wants(STARTUP, in_quick=True):
            self._run_startup()

    def _wants(self, name, in_quick):
        """Whether a case is to be measured."""
        if self.names is None:
            return in_quick or not self.quick
        return name in self.names

    def _say_left_out(self, chosen):
        """Say what a quick run does not measure."""
        left_out = [case.name for case in CASES if case not in chosen]
        if self.quick and self.names is None:
            report.say(f"--quick leaves out: {', '.join(left_out)}")
        if self.quick:
            report.say("--quick takes fewer rows and repetitions: expect noise")

    def _run_case(self, case):
        """Measure a case; one that fails does not lose the others."""
        result = {
            "name": case.name,
            "title": case.title,
            "unit": f"{case.n_units} {case.unit}",
            "target": case.target,
            "error": None,
            "memory_mb": None,
        }
        try:
            if self.quick:
                return result | measure(case.quick(), _QUICK_ROUNDS, _QUICK_SECONDS)
            return result | measure(case, _ROUNDS)
        except Exception as error:
            return result | {"error": f"{type(error).__name__}: {error}"}

    def _add_memory(self, result):
        """Measure the memory of a case that was timed, after all the timing."""
        (case,) = (case for case in CASES if case.name == result["name"])
        if "seconds" not in result or case.memory_rows is None:
            return
        try:
            result["memory_mb"] = measure_memory(case.name)
        except RuntimeError as error:
            report.say(f"memory of {result['name']} is not known: {error}")

    def _run_startup(self):
        """Measure how long a process takes to begin."""
        names = ["RBM"] if self.quick else ["RBM", "DBNClassifier"]
        n_rounds = 1 if self.quick else _STARTUP_ROUNDS
        self.document["startup"] = measure_startup(names, n_rounds)

    def _run_busy(self):
        """Measure the first case beside a busy process."""
        case = CASES[0].quick() if self.quick else CASES[0]
        n_rounds = _QUICK_ROUNDS if self.quick else _ROUNDS
        self.document["busy"] = measure_busy(case, n_rounds, busy_neighbour)

    def tables(self):
        """Return what was measured so far as text."""
        document = self.document
        parts = [_speed_report.case_table(document["cases"])]
        if document["startup"]:
            parts.append(_speed_report.startup_table(document["startup"]))
        if document["busy"]:
            parts.append(_speed_report.busy_table(document["busy"]))
        return "\n\n".join(part for part in parts if part)
