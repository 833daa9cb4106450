"""Timing several runs in turns, so that what disturbs one disturbs its neighbours."""

import os
import time
from itertools import pairwise
from math import inf
from statistics import median

OURS = "ours"
FLOOR = "floor"
# Threads of BLAS libraries spin for some milliseconds after a product; the next run is not
# to compete with those of the last one.
REST_SECONDS = 0.1
# A measurement during which other guests of a virtual machine's host took more than a part
# of the time is made again, so many times at most.
_STOLEN_PART = 0.02
_ATTEMPTS = 3


def stolen_seconds():
    """Return the time that a hypervisor has taken from the cores; 0 if it does not say."""
    try:
        with open("/proc/stat") as file:
            return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


def timed(run, clock=time.perf_counter, stolen=stolen_seconds):
    """Return the seconds that a run takes for a unit of its work."""
    for _ in range(_ATTEMPTS):
        stolen_before, start = stolen(), clock()
        n_units = run()
        seconds = clock() - start
        if stolen() - stolen_before <= _STOLEN_PART * seconds:
            break
    return seconds / n_units


def interleave(
    runs,
    n_rounds,
    max_seconds=inf,
    *,
    clock=time.perf_counter,
    sleep=time.sleep,
    stolen=stolen_seconds,
):
    """Time runs in turns, with ours after each of the others.

    Parameters
    ----------
    runs : dict of str to callable
        Each does its work once and returns the number of units. One of them is "ours".
    n_rounds : int
        How often each of the others is timed.
    max_seconds : float, default=inf
        No new round begins after so many.
    clock, sleep, stolen : callable

    Returns
    -------
    series : list of (str, float)
        Names and seconds for a unit, in the order in which they were measured.
    """
    others = [name for name in runs if name != OURS]
    series, start = [], clock()
    for i in range(n_rounds):
        if i > 0 and clock() - start > max_seconds:
            break
        for name in (name for other in others for name in (other, OURS)):
            sleep(REST_SECONDS)
            series.append((name, timed(runs[name], clock, stolen)))
    return series


def median_seconds(series, name):
    """Return the median of the measurements of a run."""
    return median(seconds for measured, seconds in series if measured == name)


def neighbour_ratio(series, above, below):
    """Return the median of above / below over measurements next to each other."""
    pairs = (dict(pair) for pair in pairwise(series))
    return median(
        pair[above] / pair[below] for pair in pairs if {above, below} == set(pair)
    )


def measure(case, n_rounds, max_seconds=inf):
    """Time a case; returns the raw series and what the table tells of them."""
    X, y = case.data(case.n_rows)
    runs = {FLOOR: case.floor(X, y), OURS: case.ours(X, y), **case.peers(X, y)}
    for run in runs.values():
        run()  # compiles, starts threads, fills caches
    series = [
        (name, seconds * case.n_units)
        for name, seconds in interleave(runs, n_rounds, max_seconds)
    ]
    return {
        "seconds": {name: median_seconds(series, name) for name in runs},
        "ratio_to_floor": neighbour_ratio(series, OURS, FLOOR),
        "times_faster_than": {
            name: neighbour_ratio(series, name, OURS)
            for name in runs
            if name not in (FLOOR, OURS)
        },
        "series": series,
    }


def measure_busy(case, n_rounds, neighbour):
    """Time ours and the peers of a case alone and beside a busy process, in turns.

    ``neighbour`` is a context manager that keeps a core busy. Returns for each name the
    seconds idle and busy and the median of busy / idle of the same round.
    """
    X, y = case.data(case.n_rows)
    runs = {OURS: case.ours(X, y), **case.peers(X, y)}
    runs.pop("BernoulliRBM float64", None)
    results = {name: {"idle": [], "busy": []} for name in runs}
    for run in runs.values():
        run()
    for _ in range(n_rounds):
        for name, run in runs.items():
            time.sleep(REST_SECONDS)
            results[name]["idle"].append(timed(run) * case.n_units)
            with neighbour():
                results[name]["busy"].append(timed(run) * case.n_units)
    for result in results.values():
        pairs = zip(result["idle"], result["busy"], strict=True)
        result["ratio"] = median(busy / idle for idle, busy in pairs)
    return results
