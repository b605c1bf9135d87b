"""Adds up the XML results of GoogleTest programs and of the checks that ctest ran beside them: one line of totals, and every reason for a skip.

Usage: test_summary.py FOLDER, with the programs' *_test.xml and ctest's checks.xml in it. Exit code 1 if there are no results, or one failed.
"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def read_checks(file):
    """Of ctest's results what is not a GoogleTest program: how many there are, names of the failed and of the skipped, and what they say that they skipped."""
    names, failed, skipped, reasons = [], [], [], []
    for check in xml.parse(file).getroot().iter("testcase") if file.exists() else []:
        name = check.get("name")
        if re.search(r"_test(\.|$)", name):
            continue
        names.append(name)
        if check.find("failure") is not None:
            failed.append(name)
        elif check.find("skipped") is not None:
            skipped.append(name)
        reasons += [line if line.startswith(name) else f"{name}: {line}" for line in (check.findtext("system-out") or "").splitlines() if re.search(r": skipped\b", line, re.I)]
    return len(names), failed, skipped, reasons


def main(folder):
    total, failed, skipped, ended, seconds = 0, [], [], [], 0.0
    files = sorted(pathlib.Path(folder).glob("*_test.xml"))
    for file in files:
        root = xml.parse(file).getroot()
        if root.get("time") is None:  # only the list that a program writes before it runs
            ended.append(file.stem)
            continue
        seconds += float(root.get("time"))
        for test in root.iter("testcase"):
            if test.get("status") != "run":
                continue
            total += 1
            name = f"{file.stem}: {test.get('classname')}.{test.get('name')}"
            if test.find("failure") is not None:
                failed.append(name)
            elif test.get("result") == "skipped":
                message = test.find("skipped").get("message", "") if test.find("skipped") is not None else ""
                skipped.append(" ".join(message.split("\n")[1:]).strip() or "no reason given")
    for reason, count in collections.Counter(skipped).most_common():
        print(f"skipped {count}: {reason}")
    checks, checks_failed, checks_skipped, reasons = read_checks(pathlib.Path(folder) / "checks.xml")
    for reason in reasons:
        print(f"skipped in check {reason}")
    for name in failed + checks_failed:
        print(f"FAILED {name}")
    for name in ended:
        print(f"ENDED BEFORE ITS RESULTS: {name}")
    print(f"TOTAL: {total} tests in {len(files)} programs, {total - len(failed) - len(skipped)} passed, {len(failed)} failed, "
          f"{len(skipped)} skipped, {seconds:.1f} s; {checks} checks beside them, {checks - len(checks_failed) - len(checks_skipped)} passed, "
          f"{len(checks_failed)} failed, {len(checks_skipped)} skipped")
    return 1 if failed or checks_failed or ended or not files and not checks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
