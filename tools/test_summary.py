"""Adds up the JSON results of a GoogleTest run: one line of totals, and every skipped test with its reason.

Usage: test_summary.py FOLDER. Exit code 1 if there are no results, or a test failed.
"""
import collections
import json
import pathlib
import sys


def main(folder):
    total, failed, skipped, seconds = 0, [], [], 0.0
    files = sorted(pathlib.Path(folder).glob("*_test.json"))  # a program that a test starts writes *_test_1.json: not a result
    for file in files:
        result = json.loads(file.read_text())
        seconds += float(result["time"].rstrip("s"))
        for suite in result["testsuites"]:
            for test in suite["testsuite"]:
                if test.get("status") != "RUN":
                    continue
                total += 1
                name = f"{file.stem}: {suite['name']}.{test['name']}"
                if "failures" in test:
                    failed.append(name)
                elif test.get("result") == "SKIPPED":
                    reason = " ".join(s.get("message", "").split("\n", 1)[-1].strip() for s in test.get("skipped", []))
                    skipped.append((reason or "no reason given", name))
    for reason, count in collections.Counter(reason for reason, _ in skipped).most_common():
        print(f"skipped {count}: {reason}")
    for name in failed:
        print(f"FAILED {name}")
    print(f"TOTAL: {total} tests in {len(files)} programs, {total - len(failed) - len(skipped)} passed, {len(failed)} failed, "
          f"{len(skipped)} skipped, {seconds:.1f} s")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
