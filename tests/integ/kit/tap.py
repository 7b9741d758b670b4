"""Prints TAP for the scripts that are not pytest suites."""
import sys
import time
import traceback


class Skip(Exception):
    pass


def run(tests, only=()):
    """tests: functions, their first line of documentation is their name. Gives the exit status."""
    tests = [t for t in tests if not only or t.__name__ in only]
    print(f"1..{len(tests)}")
    bad = 0
    for i, test in enumerate(tests, 1):
        title = (test.__doc__ or test.__name__).strip().splitlines()[0]
        start = time.monotonic()
        try:
            test()
            print(f"ok {i} - {title} # {time.monotonic() - start:.1f} s")
        except Skip as e:
            print(f"ok {i} - {title} # SKIP {e}")
        except Exception:  # pylint: disable=broad-except
            bad += 1
            print(f"not ok {i} - {title}")
            for line in traceback.format_exc().splitlines():
                print("# " + line)
        sys.stdout.flush()
    return 1 if bad else 0
