"""The networks of keras.applications, made by the real Keras, loaded by Tenure, outputs compared at 1e-4.

Usage: applications_check.py BUILD_DIR [--all | NAME...]
Ten of them without arguments; their files stay in BUILD_DIR/applications until the script that makes them changes. --all and names: made,
compared and removed one after the other. Exit code 77 and a word where there is no Keras. Closes with "N passed, N failed".
"""
import hashlib
import pathlib
import subprocess
import sys
import time

here = pathlib.Path(__file__).resolve().parent
python = here.parent / "build" / "venv" / "bin" / "python"
maker = here / "reference" / "make_applications.py"
TOLERANCE = "1e-4"


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


def same(tenure, folder, name):
    start = time.time()
    p = subprocess.run([tenure, "verify", str(folder / f"{name}.keras"), str(folder / f"{name}_io.npz"), "--tolerance", TOLERANCE],
                       capture_output=True, text=True)
    said = (p.stdout + p.stderr).strip().splitlines()
    print(f"{'ok' if p.returncode == 0 else 'FAILED':<7} {name:<20} {time.time() - start:6.1f} s  {said[-1] if said else ''}", flush=True)
    if p.returncode:
        print("\n".join("        " + line for line in said[:-1]))
    return p.returncode == 0


def main(build, wanted):
    every, fast = lists()
    folder, tenure = pathlib.Path(build) / "applications", str(pathlib.Path(build) / "tenure")
    names = every if wanted == ["--all"] else wanted or fast
    if set(names) - set(every):
        sys.exit(f"applications: no such network: {', '.join(sorted(set(names) - set(every)))}")
    if not python.exists():
        print("applications: SKIPPED: there is no build/venv with Keras (make setup tries to make it)")
        return 77
    folder.mkdir(exist_ok=True)
    passed = 0
    if wanted:
        (folder / "made-by").unlink(missing_ok=True)
        for name in names:
            passed += make([name], folder) and same(tenure, folder, name)
            for end in (".keras", "_io.npz"):
                (folder / f"{name}{end}").unlink(missing_ok=True)
    else:
        stamp, version = folder / "made-by", hashlib.sha256(maker.read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != version:
            stamp.unlink(missing_ok=True)
            if make(names, folder):
                stamp.write_text(version)
        passed = sum(same(tenure, folder, name) for name in names)
    print(f"applications: {passed} passed, {len(names) - passed} failed")
    return 0 if passed == len(names) else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
