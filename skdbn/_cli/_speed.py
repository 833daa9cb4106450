"""``skdbn speed``."""

from skdbn._cli._status import INTERRUPTED, MODEL_FAILED, OK
from skdbn.benchmarks import _report, _speed, _speed_report


def run(options):
    """Run ``skdbn speed`` and return the exit status."""
    if options.list:
        print(_speed.list_cases())
        return OK
    _report.check_json(options.json)
    session = _speed.Session(options.case, options.quick, options.busy)
    print(_speed_report.header(session.document["environment"]), flush=True)
    status = OK
    try:
        session.run()
    except KeyboardInterrupt:
        _report.say("interrupted: only what was measured before is told")
        status = INTERRUPTED
    tables = session.tables()
    if tables:
        print("", tables, sep="\n", flush=True)
    if options.json is not None:
        _report.write_json(options.json, session.document)
        _report.say(f"written: {options.json}")
    return MODEL_FAILED if status == OK and session.failed else status
