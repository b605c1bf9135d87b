"""Adds up the XML results of a GoogleTest run: one line of totals, and every reason for a skipped test.

Usage: test_summary.py FOLDER. Exit code 1 if there are no results, or a test failed.
"""
import collections
import pathlib
import sys
import xml.etree.ElementTree as xml


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
    for name in failed:
        print(f"FAILED {name}")
    for name in ended:
        print(f"ENDED BEFORE ITS RESULTS: {name}")
    print(f"TOTAL: {total} tests in {len(files)} programs, {total - len(failed) - len(skipped)} passed, {len(failed)} failed, "
          f"{len(skipped)} skipped, {seconds:.1f} s")
    return 1 if failed or ended or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
