"""Line coverage of include/ and src/ from a gcov build, file by file. Usage: coverage.py BUILD_FOLDER"""
import collections
import json
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
lines = collections.defaultdict(dict)
for data in sorted(pathlib.Path(sys.argv[1]).resolve().rglob("*.gcda")):
    text = subprocess.run(["gcov", "--json-format", "--stdout", str(data)], capture_output=True, check=True, cwd=data.parent).stdout
    for document in text.splitlines():
        report = json.loads(document)
        for file in report["files"]:
            path = (pathlib.Path(report["current_working_directory"]) / file["file"]).resolve()
            if path.is_relative_to(root) and path.relative_to(root).parts[0] in ("include", "src") and not path.name.endswith("_test.cc"):
                for line in file["lines"]:
                    seen = lines[str(path.relative_to(root))]
                    seen[line["line_number"]] = max(seen.get(line["line_number"], 0), line["count"])
covered = sum(count > 0 for file in lines.values() for count in file.values())
total = sum(len(file) for file in lines.values())
for name, file in sorted(lines.items()):
    hit = sum(count > 0 for count in file.values())
    print(f"{100 * hit / len(file):6.1f} %  {hit:5} of {len(file):5}  {name}")
print(f"{100 * covered / max(total, 1):6.1f} %  {covered:5} of {total:5}  lines in all")
