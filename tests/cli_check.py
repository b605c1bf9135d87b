"""Runs the command as scripts do: forms, files, exit codes, errors. Usage: cli_check.py BUILD_DIR. Closes with "N passed, N failed"."""
import json
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1])
tenure = str(build / "tenure")
reference = pathlib.Path(__file__).resolve().parent / "reference"
model, io = str(reference / "cnn.keras"), str(reference / "cnn_io.npz")
passed = failed = 0


def run(*args):
    p = subprocess.run([tenure, *map(str, args)], capture_output=True, text=True, timeout=300)
    return p.returncode, p.stdout, p.stderr


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print(f"FAILED {name}: {detail}")


with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    code, out, err = run("--help")
    check("help", code == 0 and "memcheck" in out and "Examples" in out, out + err)
    code, out, err = run("version", "--json")
    check("version", code == 0 and json.loads(out)["threads"] >= 1, err)
    code, out, err = run("ops", "--json")
    check("ops", code == 0 and any(op["name"] == "matmul" for op in json.loads(out)), err)
    code, out, err = run("layers", "--json")
    check("layers", code == 0 and any(l["class_name"] == "Conv2D" for l in json.loads(out)), err)
    code, out, err = run("summary", model)
    check("summary", code == 0 and "Total params" in out, err)
    code, out, err = run("verify", model, io)
    check("verify", code == 0, out + err)
    code, out, err = run("verify", model, io, "--tolerance", "1e-12")
    check("verify says different", code == 1, out + err)
    code, out, err = run("predict", model, "--inputs", io, "--outputs", work / "out.npz")
    check("predict", code == 0 and (work / "out.npz").exists(), out + err)
    code, out, err = run("mem", "plan", model, "--batch", 4, "--json")
    check("mem plan", code == 0 and json.loads(out)["peak_bytes"] > 0, out + err)
    code, out, err = run("mem", "report", model, "--train", "--judge", "-o", work / "report.html")
    if code == 3 and "npm" in err:
        print("mem report: skipped, this build carries no page")
        check("mem report writes nothing without its page", not (work / "report.html").exists())
    else:
        check("mem report", code == 0 and '"tenure":1' in (work / "report.html").read_text(), out + err)
        code, out, err = run("mem", "report", model, "-o", work / "none" / "report.html")
        check("mem report into no folder", code == 3 and "report.html" in err, f"{code}: {out}{err}")
    code, out, err = run("memcheck", model, "--iters", 60, "--json", work / "verdict.json")
    check("memcheck", code == 0 and json.loads((work / "verdict.json").read_text())["exit"] == 0, out + err)
    # Bad input: one clear error, exit code 3, nothing written.
    for name, args, word in [("missing file", ["summary", work / "none.keras"], "none.keras"), ("bad option", ["predict", model], "--inputs"),
                             ("onnx", ["summary", work / "m.onnx"], ".keras"), ("text as model", ["summary", work / "text.keras"], "text.keras")]:
        (work / "m.onnx").write_bytes(b"\x08\x07onnx")
        (work / "text.keras").write_text("not a zip file")
        code, out, err = run(*args)
        check(name, code == 3 and word in err and err.count("tenure:") == 1, f"{code}: {out}{err}")
    code, out, err = run("nonsense")
    check("unknown command", code != 0, out + err)
print(f"cli: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
