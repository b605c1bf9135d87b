"""Exports opened by their readers: pprof by `go tool pprof`, traces by the rules of the Trace Event Format, Prometheus' text by prometheus_client.
Usage: exports_check.py BUILD_DIR. A reader that cannot be had is named and skipped. Closes with "N passed, N failed"."""
import collections
import gzip
import json
import pathlib
import re
import shutil
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
tenure = str(build / "tenure")
model = str(pathlib.Path(__file__).resolve().parent / "reference" / "cnn.keras")
work = build / "exports_py"
work.mkdir(exist_ok=True)
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print(f"FAILED {name}: {detail}")


def run(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=500)


def mem(*words):
    p = run(tenure, "mem", *words)
    check(f"mem {words[0]}", p.returncode == 0, p.stderr)
    return p.stdout


mem("snapshot", model, "-o", work / "a.json")
snapshot = json.loads((work / "a.json").read_text())
mem("export", work / "a.json", "--format", "pprof", "-o", work / "a.pb.gz")
mem("export", model, "--format", "trace", "-o", work / "trace.json")
mem("export", model, "--format", "prometheus", "-o", work / "metrics.txt")
p = run(tenure, "mem", "export", work / "a.json", "--format", "trace", "-o", work / "none")
check("a snapshot has no trace", p.returncode == 3 and not (work / "none").exists(), p.stderr)

# ---- pprof
raw = gzip.decompress((work / "a.pb.gz").read_bytes())
check("a gzip member with its checksum", len(raw) > 100)
go = shutil.which("go")
if not go or run(go, "tool", "pprof", "-h").returncode not in (0, 2):
    print("pprof: skipped, there is no go whose `go tool pprof` works")
else:
    p = run(go, "tool", "pprof", "-raw", work / "a.pb.gz")
    check("pprof reads the profile", p.returncode == 0 and "objects/count space/bytes[dflt] alloc_objects/count alloc_space/bytes" in p.stdout, p.stderr + p.stdout[:300])
    rows = [list(map(int, m.groups())) for m in re.finditer(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+):", p.stdout, re.M)]
    objects, space, allocated, allocated_space = map(sum, zip(*rows))
    check("objects are the ledger's", objects == snapshot["counts"]["buffers"], f"{objects}")
    check("space is the ledger's", space == snapshot["counts"]["live_bytes"], f"{space}")
    check("allocations are the ledger's", allocated == snapshot["counts"]["allocations"], f"{allocated}")
    check("bytes ever allocated are the accounts'", allocated_space == sum(a["allocated_bytes"] for a in snapshot["accounts"]) >= space, f"{allocated_space}")
    p = run(go, "tool", "pprof", "-top", "-cum", "-sample_index=space", work / "a.pb.gz")
    check("frames are steps of accounts", all(word in p.stdout for word in ("random_uniform", "predict_step", "classes")), p.stdout)
    p = run(go, "tool", "pprof", "-top", "-sample_index=space", "-diff_base", work / "a.pb.gz", work / "a.pb.gz")
    check("nothing differs from itself", p.returncode == 0 and "accounting for 0" in p.stdout, p.stdout + p.stderr)

# ---- Trace Event Format
trace = json.loads((work / "trace.json").read_text())
events = trace["traceEvents"]
open_spans, time, phases = collections.Counter(), {}, collections.Counter()
for e in events:
    phases[e["ph"]] += 1
    check("known fields", isinstance(e["pid"], int) and isinstance(e["name"], str) and (e["ph"] == "M" or e["ts"] >= 0), e) if e["ph"] in "Mi" else None
    if e["ph"] == "C":
        if e["ts"] < time.get("C", 0) or not all(isinstance(v, int) and v >= 0 for v in e["args"].values()):
            check("counters go forward and are never negative", False, e)
        time["C"] = e["ts"]
    if e["ph"] in "be":
        key = (e["cat"], e["id"], e["name"])
        open_spans[key] += 1 if e["ph"] == "b" else -1
        if open_spans[key] not in (0, 1):
            check("a span begins once and ends once", False, e)
check("only documented phases", set(phases) <= set("MCbei"), phases)
check("every span ends", phases["b"] > 0 and not any(open_spans.values()), open_spans.most_common(2))
check("counters by category", any(set(e["args"]) >= {"parameter", "activation", "temporary"} for e in events if e["ph"] == "C"))

# ---- Prometheus
text = (work / "metrics.txt").read_text()
packages = work / "packages"
if not (packages / "prometheus_client").exists():
    run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--retries", "1", "--target", packages, "prometheus-client==0.26.0")
sys.path.insert(0, str(packages))
try:
    from prometheus_client.parser import text_string_to_metric_families
    families = {f.name: f for f in text_string_to_metric_families(text)}
    samples = {s.name: s.value for f in families.values() for s in f.samples if not s.labels}
    check("every family has its type and help", all(f.type in ("gauge", "counter") and f.documentation for f in families.values()), families)
    check("live bytes", samples["tenure_live_bytes"] > 0 and families["tenure_allocations"].type == "counter", samples)
    by_category = sum(s.value for s in families["tenure_category_bytes"].samples)
    check("categories add up to live bytes", by_category == samples["tenure_live_bytes"], by_category)
    accounts = families["tenure_account_bytes"].samples
    check("accounts are named once", len({s.labels["account"] for s in accounts}) == len(accounts) > 3, accounts)
except ImportError:
    print("prometheus: prometheus_client cannot be had; checked by our own rules only")
line = re.compile(r'# (HELP \w+ .+|TYPE \w+ (gauge|counter))|[a-z_]+(\{\w+="([^"\\\n]|\\.)*"\})? \d+')
check("every line is of the text format", text.endswith("\n") and all(line.fullmatch(l) for l in text.splitlines()), [l for l in text.splitlines() if not line.fullmatch(l)][:3])
print(f"exports: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
