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
    # Programs judged by their ticks.
    program = build / "ticks_program"
    for what, want, words in [(["clean"], 0, []), (["leak"], 1, ["confirmed", "LEAK  sig ", "audit log", ". entries[*]", "fix: bound 'audit log'"]),
                              (["sawtooth"], 0, []), (["slow", "2000"], 1, ["+0.100", "audit log"]), (["fit"], 0, ["fit.batch"]), (["predict"], 0, ["predict"]),
                              (["fit-leak"], 1, ["KeepsOutputs", ". outputs[*]", "not confirmed"]), (["filling"], 0, ["FILLING", "Function shapes"]),
                              (["clean", "30"], 2, ["too few"])]:
        code, out, err = run("memcheck", "--", program, *what)
        check(f"memcheck of a program: {what}", code == want and all(w in out for w in words), f"{code}: {out}{err}")
    code, out, err = run("memcheck", "--iters", 40, "--warmup", 5, "--json", work / "program.json", "--", program, "leak", "200")
    verdict = json.loads((work / "program.json").read_text())
    card = verdict["points"][0]["cards"][0]
    check("verdict as JSON", code == 1 and verdict["exit"] == 1 and verdict["points"][0]["confirmed"] and card["links"][0]["holder"] == "audit log", out + err)
    signature = card["signature"]
    code, out, err = run("memcheck", "--json", "--", program, "leak")
    check("verdict as JSON on standard output", code == 1 and json.loads(out)["points"][0]["cards"][0]["signature"] == signature, out[:300])
    known = work / "known.txt"
    for line, want, word in [(f"{signature} 2999-12-31 the log is kept on purpose", 0, "suppressed: the log is kept on purpose"),
                             (f"{signature} 2020-12-31 was to be mended", 1, "expired on 2020-12-31"), ("deadbeef 2999-12-31 another", 1, "of no use any more"),
                             (f"{signature} soon no date", 3, "")]:
        known.write_text("# known leaks\n" + line + "\n")
        code, out, err = run("memcheck", "--suppress", known, "--", program, "leak")
        check(f"suppression: {line}", code == want and word in out, f"{code}: {out}{err}")
    for name, args, word in [("a program that fails", ["memcheck", "--", program, "fail"], "exit code 7"), ("no program", ["memcheck", "--", work / "none"], "none"),
                             ("a program without Tenure", ["memcheck", "--", "true"], "not linked with Tenure")]:
        code, out, err = run(*args)
        check(name, code == 3 and word in err, f"{code}: {out}{err}")
    # Snapshots.
    code, out, err = run("mem", "snapshot", model, "-o", work / "a.json")
    check("mem snapshot", code == 0 and json.loads((work / "a.json").read_text())["tenure_snapshot"] == 1, out + err)
    code, out, err = run("mem", "why", work / "a.json", "--largest", 100)
    check("mem why", code == 0 and "Expected: a variable keeps its value" in out and "sig " in out, out + err)
    code, out, err = run("mem", "why", work / "a.json", "--largest", 1, "--json")
    first = json.loads(out)[0]
    code, again, err = run("mem", "why", work / "a.json", "--signature", first["chains"][0]["signature"], "--json")
    check("mem why by signature", code == 0 and json.loads(again)[0]["id"] == first["id"], again + err)
    code, out, err = run("mem", "why", model, "--largest", 1)
    check("mem why of a model has the same signature", code == 0 and first["chains"][0]["signature"] in out, out + err)
    code, out, err = run("mem", "why", work / "a.json", "--signature", "00000000")
    check("mem why of nothing", code == 1 and "00000000" in err, out + err)
    run("mem", "snapshot", model, "--batch", 64, "-o", work / "b.json")
    code, out, err = run("mem", "diff", work / "a.json", work / "b.json")
    check("mem diff", code == 0 and "two processes" in out and "/random_uniform" in out, out + err)
    code, out, err = run("mem", "diff", work / "a.json", work / "b.json", "--fail-if-peak", "+2%")
    check("mem diff fails on a higher peak", code == 1 and "beyond +2%" in out, out + err)
    code, out, err = run("mem", "diff", work / "a.json", work / "a.json", "--fail-if-peak", "+2%")
    check("mem diff of one file", code == 0 and "0 buffers born, 0 died" in out, out + err)
    code, out, err = run("mem", "audit", work / "a.json")
    check("mem audit", code == 0 and "every owner reference is explained" in out, out + err)
    code, out, err = run("mem", "balance", work / "a.json", "--assert-residual", "0.0000001%")
    check("mem balance", code == 1 and "RSS" in out and "beyond" in out, out + err)
    # Files: looked at, compared, converted.
    code, out, err = run("inspect", model)
    check("inspect", code == 0 and "stem (Conv2D)" in out and "/layers/conv2d/vars/0" in out and "load_model takes everything" in out, out + err)
    code, out, err = run("inspect", model, "--json")
    report = json.loads(out) if code == 0 else {}
    check("inspect as JSON", code == 0 and {m["name"] for m in report["members"]} >= {"config.json", "model.weights.h5"} and report["nonfinite"] == 0
          and report["config"]["config"]["name"] == "cnn" and report["unsupported"] == "", out[:400] + err)
    code, out, err = run("convert", model, work / "cnn.weights.h5")
    check("convert to weights", code == 0 and (work / "cnn.weights.h5").exists(), out + err)
    code, out, err = run("convert", model, work / "again.keras")
    check("convert to a model", code == 0, out + err)
    code, out, err = run("verify", work / "again.keras", io)
    check("a converted model is the same", code == 0, out + err)
    code, out, err = run("diff", model, model)
    check("diff of the same", code == 0 and out == "same\n", out + err)
    code, out, err = run("diff", work / "again.keras", model, "--json")
    check("diff: no weight differs", not json.loads(out)["arrays"] and not json.loads(out)["values"], out[:400] + err)
    code, out, err = run("diff", work / "cnn.weights.h5", reference / "functional_zoo.keras")
    check("diff of two", code == 1 and "settings differ" in out and "arrays are missing" in out, out + err)
    code, out, err = run("convert", reference / "legacy_k2_trained.h5", work / "modern.keras")
    check("convert of a legacy file", code == 0, out + err)
    code, out, err = run("verify", work / "modern.keras", reference / "legacy_k2_trained_io.npz")
    check("a converted legacy model is the same", code == 0, out + err)
    code, out, err = run("inspect", reference / "legacy_k2_trained.h5")
    check("inspect of a legacy file", code == 0 and "legacy model" in out, out + err)
    code, out, err = run("inspect", work / "cnn.weights.h5")
    check("inspect of weights", code == 0 and "weights without a model" in out, out + err)
    # Bad input: one clear error, exit code 3, nothing written.
    for name, args, word in [("missing file", ["summary", work / "none.keras"], "none.keras"), ("bad option", ["predict", model], "--inputs"),
                             ("onnx", ["summary", work / "m.onnx"], ".keras"), ("text as model", ["summary", work / "text.keras"], "text.keras"),
                             ("weights to a model", ["convert", work / "cnn.weights.h5", work / "no.keras"], "weights without a model"),
                             ("an unknown ending", ["convert", model, work / "no.onnx"], ".weights.h5"),
                             ("inspect of text", ["inspect", work / "text.keras"], "text.keras"),
                             ("diff with nothing", ["diff", model, work / "none.keras"], "none.keras")]:
        (work / "m.onnx").write_bytes(b"\x08\x07onnx")
        (work / "text.keras").write_text("not a zip file")
        code, out, err = run(*args)
        check(name, code == 3 and word in err and err.count("tenure:") == 1, f"{code}: {out}{err}")
    code, out, err = run("nonsense")
    check("unknown command", code != 0, out + err)
print(f"cli: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
