"""Keeps the pages honest: docs.py --check fails where a page is not what it should be, docs.py --write renews it.

- docs/ops.md and docs/layers.md are what `tenure ops --markdown` and `tenure layers --markdown` print.
- A code block after the line <!-- file: examples/x.cc --> holds that file, after <!-- run: ops --help --> that command's output.
- A link to a file of the project leads to one, and a link to a heading to a heading.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
GENERATED = {"docs/ops.md": ["ops", "--markdown"], "docs/layers.md": ["layers", "--markdown"]}
QUOTE = re.compile(r"(<!-- (file|run): ([^>]+?) -->\n+```[^\n]*\n)(.*?)(\n?```)", re.S)


def anchors(text):
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    for heading in re.findall(r"^#+ +(.*)$", text, re.M):
        yield re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def link_errors(path, text):
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        if not file.exists():
            yield f"{path.relative_to(ROOT)}: the link to {target} leads nowhere"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"{path.relative_to(ROOT)}: {name or 'this page'} has no heading #{anchor}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--check", action="store_true")
    how.add_argument("--write", action="store_true")
    parser.add_argument("--binary", default=ROOT / "build/release/tenure")
    arguments = parser.parse_args()

    def run(words):
        return subprocess.run([arguments.binary, *words], capture_output=True, text=True, check=True, cwd=ROOT).stdout

    def quoted(match):
        content = (ROOT / match[3]).read_text() if match[2] == "file" else run(match[3].split())
        return match[1] + content.rstrip("\n") + "\n```"

    errors, pages = [], sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md"), *(ROOT / "bench").rglob("*.md")])
    for name in GENERATED:
        if ROOT / name not in pages:
            pages.append(ROOT / name)
    for path in pages:
        name = str(path.relative_to(ROOT))
        before = path.read_text() if path.exists() else ""
        after = run(GENERATED[name]) if name in GENERATED else QUOTE.sub(quoted, before)
        if after != before:
            if arguments.write:
                path.write_text(after)
                print(f"docs: wrote {name}")
            else:
                errors.append(f"{name} is not current; run make docs-write")
        errors += link_errors(path, after)
    print("\n".join(errors + [f"docs: {len(pages)} pages, {len(errors)} mistakes"]))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
