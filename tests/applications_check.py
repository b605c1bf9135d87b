"""The networks of keras.applications, made by the real Keras, loaded by Tenure, outputs compared at 1e-4. Those that applications.h builds
go both ways besides: Keras' weights into the constructor's model, and the constructor's model, with weights that matter, into Keras.

Usage: applications_check.py BUILD_DIR [--all | NAME...]
Ten networks and two constructors without arguments; Keras' files stay in BUILD_DIR/applications until the script that makes them changes.
--all and names: made, compared and removed one after the other. Exit code 77 and a word where there is no Keras. Closes with "N passed, N failed".
"""
import hashlib
import pathlib
import subprocess
import sys
import time

here = pathlib.Path(__file__).resolve().parent
python = here.parent / "build" / "venv" / "bin" / "python"
maker = here / "reference" / "make_applications.py"
loader = here / "reference" / "keras_loads_ours.py"
TOLERANCE = "1e-4"
QUICK_CONSTRUCTORS = ["MobileNetV2", "EfficientNetB0"]  # of every test run


def lists():
    """NETWORKS and FAST of the maker, which imports Keras: read without that."""
    text = maker.read_text()
    scope = {}
    exec(text[text.index("SMALL, MEDIUM ="):text.index("\n\ndef ")], scope)  # noqa: S102
    return list(scope["NETWORKS"]), scope["FAST"]


def make(names, folder):
    p = subprocess.run([str(python), str(maker), str(folder), *names], capture_output=True, text=True)
    if p.returncode:
        print(f"{' '.join(names)}: Keras could not make it: {p.stderr.strip().splitlines()[-1:]}")
    return p.returncode == 0


def judge(what, *words):
    """Whether the command ends with 0; its last line of output is what it said. Errors, TensorFlow's log among them, show where it failed."""
    start = time.time()
    p = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    said = p.stdout.strip().splitlines()
    print(f"{'ok' if p.returncode == 0 else 'FAILED':<7} {what:<30} {time.time() - start:6.1f} s  {said[-1] if said else ''}", flush=True)
    if p.returncode:
        print("\n".join("        " + line for line in said[:-1] + p.stderr.strip().splitlines()))
    return p.returncode == 0


def same(tenure, folder, name):
    return judge(name, tenure, "verify", folder / f"{name}.keras", folder / f"{name}_io.npz", "--tolerance", TOLERANCE)


def both_ways(program, folder, name):
    """Keras' weights in the constructor's model; the constructor's model in Keras. How many of the two agree."""
    passed = judge(f"{name}, constructed", program, "load", name, folder / f"{name}.keras", folder / f"{name}_io.npz")
    model, io = folder / f"ours_{name}.keras", folder / f"ours_{name}_io.npz"
    p = subprocess.run([program, "make", name, str(folder)], capture_output=True, text=True)
    if p.returncode:
        print(f"FAILED  {name}: could not be made here: {p.stderr.strip()}")
    else:
        passed += judge(f"{name}, in Keras", python, loader, model, io, "--tolerance", TOLERANCE)
    for made in (model, io):
        made.unlink(missing_ok=True)
    return passed


def main(build, wanted):
    every, fast = lists()
    folder, tenure, program = (pathlib.Path(build) / "applications", str(pathlib.Path(build) / "tenure"), str(pathlib.Path(build) / "applications_program"))
    names = every if wanted == ["--all"] else wanted or fast
    if set(names) - set(every):
        sys.exit(f"applications: no such network: {', '.join(sorted(set(names) - set(every)))}")
    if not python.exists():
        print("applications: SKIPPED: there is no build/venv with Keras (make setup tries to make it)")
        return 77
    folder.mkdir(exist_ok=True)
    constructors = subprocess.run([program, "names"], capture_output=True, text=True, check=True).stdout.split() if wanted else QUICK_CONSTRUCTORS
    constructors = [name for name in constructors if name in names]
    passed, all_of_them = 0, len(names) + 2 * len(constructors)
    if wanted:
        (folder / "made-by").unlink(missing_ok=True)
        for name in names:
            if make([name], folder):
                passed += same(tenure, folder, name)
                passed += both_ways(program, folder, name) if name in constructors else 0
            for end in (".keras", "_io.npz"):
                (folder / f"{name}{end}").unlink(missing_ok=True)
    else:
        stamp, version = folder / "made-by", hashlib.sha256(maker.read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != version:
            stamp.unlink(missing_ok=True)
            if make(names, folder):
                stamp.write_text(version)
        passed = sum(same(tenure, folder, name) for name in names) + sum(both_ways(program, folder, name) for name in constructors)
    print(f"applications: {passed} passed, {all_of_them - passed} failed")
    return 0 if passed == all_of_them else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
