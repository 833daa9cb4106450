"""What ``skdbn speed`` prints."""

from statistics import median

from skdbn.benchmarks._report import aligned, say

BUSY_TARGET = 2.5
MEMORY_TARGET = 200
_PEERS = {
    "BernoulliRBM": "x_sklearn",
    "MLPClassifier": "x_sklearn",
    "BernoulliRBM float64": "x_sklearn64",
    "PyTorch": "x_torch",
}
_LEGEND = f"""\
floor_s  the matrix products alone
x_...    so many times the seconds of ours: BernoulliRBM or MLPClassifier on float32 data
         (sklearn), BernoulliRBM on float64 data (sklearn64), PyTorch (torch)
MB       the largest memory of ours beyond its input, to be {MEMORY_TARGET} at most"""


def warn_if_busy(found):
    """Say that figures from a machine with other work on it mean little."""
    load, cores = found["load"], found["cores"]
    if load is not None and load > 0.3 * cores:
        say(
            f"The machine is busy: {load:.1f} processes ran on {cores} cores in the last "
            "minute. Threads of matrix products wait for each other then, and no ratio "
            "below can be relied on."
        )


def header(found):
    """Return the environment in a few lines."""
    blas = ", ".join(
        f"{library['internal_api']} {library['version']} ({library['num_threads']} threads)"
        for library in found["blas"]
    )
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return "\n".join(
        [
            f"date      {found['date']}",
            f"cores     {found['cores']}, {found['system']} {found['machine']}",
            f"blas      {blas or 'not known'}",
            f"versions  Python {found['python']}, {versions}",
        ]
    )


def summary(result):
    """Return the result of a case in a few words."""
    if result["error"] is not None:
        return f"{result['name']} failed: {result['error']}"
    peers = "".join(
        f", {ratio:.2f} x {name}" for name, ratio in result["times_faster_than"].items()
    )
    return f"{result['name']}: {result['ratio_to_floor']:.2f} of the floor{peers}"


def case_table(results):
    """Return the measured cases as a table, with dashes for what is missing."""
    rows = [_case_row(result) for result in results if "seconds" in result]
    if not rows:
        return None
    columns = [name for name in rows[0] if any(row[name] != "-" for row in rows)]
    rows = [{name: row[name] for name in columns} for row in rows]
    return f"{aligned(rows)}\n\n{_LEGEND}"


def _case_row(result):
    """Return a row of the table by its column names."""
    seconds, target, memory = (result[key] for key in ("seconds", "target", "memory_mb"))
    row = {
        "case": result["title"],
        "for": result["unit"],
        "floor_s": f"{seconds['floor']:.3g}",
        "ours_s": f"{seconds['ours']:.3g}",
        "ours/floor": f"{result['ratio_to_floor']:.2f}",
        "target": "-" if target is None else f"{target:.2f}",
        **dict.fromkeys(_PEERS.values(), "-"),
        "MB": "-" if memory is None else f"{memory:.0f}",
    }
    for name, ratio in result["times_faster_than"].items():
        row[_PEERS[name]] = f"{ratio:.2f}"
    return row


def startup_table(startup):
    """Return the medians of the start-up as a table."""
    return aligned(
        [
            {"start-up": name, "seconds": f"{median(seconds):.2f}"}
            for name, seconds in startup.items()
        ]
    )


def busy_table(busy):
    """Return what a busy neighbour costs as a table."""
    return aligned(
        [
            {
                "beside a busy process": name,
                "idle_s": f"{median(result['idle']):.3g}",
                "busy_s": f"{median(result['busy']):.3g}",
                "busy/idle": f"{result['ratio']:.2f}",
                "target": f"{BUSY_TARGET:.2f}" if name == "ours" else "-",
            }
            for name, result in busy.items()
        ]
    )
