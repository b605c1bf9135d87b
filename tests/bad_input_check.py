"""Holds tests/bad_input.md against the tests that were built.

Usage: bad_input_check.py BUILD_FOLDER | --table-only. Exit code 1 when a row names no test, or one that does not exist.
"""
import pathlib
import re
import subprocess
import sys

TABLE = pathlib.Path(__file__).with_name("bad_input.md")


def rows():
    for line in TABLE.read_text().splitlines():
        match = re.fullmatch(r"\|(.+)\|([^|]*)\|", line)
        if match and not re.fullmatch(r"[-\s]*|\s*input\s*", match[1]):
            yield match[1].strip(), [name for name in re.split(r"[,\s`]+", match[2]) if name]


def built_tests(folder):
    names, programs = set(), [p for p in sorted(pathlib.Path(folder).glob("*_test")) if p.is_file()]
    for program in programs:
        suite = ""
        for line in subprocess.run([str(program), "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout.splitlines():
            if not line.startswith(" "):
                suite = line.split("#")[0].strip()
            else:
                name = suite + line.split("#")[0].strip()
                names |= {name, re.sub(r"^[^/]*/|/[^/]*$", "", name)}  # parameterized tests also by their plain name
    return names, programs


def main(argument):
    table, mistakes = list(rows()), []
    seen = set()
    for item, tests in table:
        if item in seen:
            mistakes.append(f"'{item}' stands twice")
        seen.add(item)
        mistakes += [f"'{item}': '{t}' is no Suite.Test" for t in tests if not re.fullmatch(r"\w+\.\w+", t)]
        if not tests and argument != "--table-only":
            mistakes.append(f"'{item}' names no test")
    if argument != "--table-only":
        names, programs = built_tests(argument)
        if not programs:
            mistakes.append(f"no test program in {argument}")
        mistakes += [f"'{item}': no built program has the test {t}" for item, tests in table for t in tests if t not in names]
    print("\n".join([f"bad_input: {m}" for m in mistakes] + [f"bad_input: {len(table)} rows, {len(mistakes)} mistakes"]))
    return 1 if mistakes or not table else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
