"""Checks the rules of the house that #include lines and class bodies show. Exit code 1 if one is broken.

1. A folder of src/ includes itself and the folders it stands on, nothing else.
2. A third-party header is seen only where the table says; a public header sees none.
3. No class of the library has a data member that holds a Tensor: members are Held. A struct that lives on the stack only, in one
   call, may say so in the line: "// stack-bound".
4. No file is longer than 600 lines.
Usage: check_layers.py [ROOT]
"""
import pathlib
import re
import sys

LAYERS = {"base": "", "memory": "base", "core": "base memory", "kernels": "base", "files": "base", "ops": "base memory core kernels",
          "graph": "base memory core kernels ops", "data": "base memory core kernels files ops graph", "nn": "base memory core files ops graph data",
          "io": "base memory core files ops graph data nn", "cli": "base memory core files ops graph data nn io"}
# Public header -> the folder that defines what it declares. A new one is entered here.
PUBLIC = {header: folder for folder, headers in {
    "base": "dtype error export version",
    "memory": "memory moment",
    "core": "fields op strings tensor variable",
    "ops": "convolution ops ops_arrange ops_ctc ops_image ops_linalg ops_nn ops_numpy ops_random ops_signal",
    "graph": "control function jacobian tape",
    "data": "arrays data",
    "nn": "adapt applications attention audio augmentation callbacks conv_lstm initializers layer layer_values layers layers_convolution "
          "layers_normalization layers_pooling layers_regularization layers_shape loss_scale losses losses_more metrics metrics_more model optimizers optimizers_more "
          "pipeline preprocessing recurrent reversible_embedding schedules text train wrappers",
    "io": "inspect saving",
    "cli": "gtest tenure",
}.items() for header in headers.split()}
INCLUDES_AS = {"memory": "core", "moment": "core"}  # memory.h speaks of tensors (explain, keep): core defines that part
INSIDE = set(LAYERS)
THIRD = [(r"fmt/", INSIDE), (r"nlohmann/", {"graph", "nn", "io", "cli"}), (r"hwy/", {"kernels"}), (r"(unsupported/)?Eigen/", {"kernels"}), (r"(oneapi/|dnnl)", {"kernels"}),
         (r"omp\.h", {"base", "kernels"}), (r"(zip|zlib|libdeflate|hdf5|H5\w*|hdf5_hl)\.h", {"files"}), (r"(turbojpeg|jpeglib|png)\.h", {"data"}), (r"CLI/", {"cli"}),
         (r"(gtest|gmock|rapidcheck)[/.]", set()), (r"benchmark/", set()), (r"spdlog/", {"cli"})]
# Files that see a third-party header outside the folders above, by name: JSON goes through these few.
NAMED = {("src/core/fields.cc", "nlohmann"), ("src/memory/report.cc", "nlohmann"), ("src/memory/page.cc", "nlohmann"), ("src/memory/moment.cc", "nlohmann"), ("src/memory/exports.cc", "nlohmann"), ("src/memory/tick.cc", "nlohmann"), ("src/memory/steady.cc", "nlohmann"), ("src/files/json.cc", "nlohmann"), ("src/files/json.h", "nlohmann")}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
HOLDS = re.compile(r"(?<![\w:&*])(?:tenure::)?(?:Tensor|Tensors|TensorList|Outputs)\b(?!\s*[&*])|<[^;(]*\bTensor\b(?!\s*[&*(])[^;(]*>")


def include_errors(folder, path, text, public):
    allowed = {folder, *LAYERS[folder].split()}
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match[2]
        parts = name.split("/")
        if parts[0] == "tenure":
            stem = parts[-1].removesuffix(".h")
            if stem not in PUBLIC:
                yield f"{path}:{number}: tools/check_layers.py does not know which folder <{name}> belongs to"
            elif PUBLIC[stem] not in allowed:
                yield f"{path}:{number}: {folder} includes <{name}>, which belongs to {PUBLIC[stem]}"
        elif parts[0] in LAYERS and match[1] == '"':
            if public:
                yield f"{path}:{number}: a public header includes \"{name}\", which is not installed"
            elif parts[0] not in allowed:
                yield f"{path}:{number}: {folder} includes \"{name}\", but stands on: {LAYERS[folder] or 'nothing'}"
        for pattern, folders in THIRD:
            if re.match(pattern, name) and path.name != "gtest.h" and (str(path), parts[0]) not in NAMED and (public or folder not in folders):
                yield f"{path}:{number}: {'a public header' if public else folder} must not see <{name}>"


def member_errors(path, text):
    """Walks the braces; a statement without parentheses directly inside a class or struct body is a data member."""
    text = re.sub(r"//(?! stack-bound)[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    scopes, start = [], 0
    for match in re.finditer(r"[{};]|\b(?:public|private|protected):|// stack-bound", text):
        token, statement = match[0], text[start:match.start()]
        if token == "{":
            is_class = re.search(r"\b(class|struct|union)\b[^;()=]*$", statement) and not re.search(r"\benum\b", statement)
            is_value = scopes and scopes[-1][0] == "class" and "(" not in statement and not is_class
            scopes.append(("class" if is_class else "value" if is_value else "other", start))
            start = match.end()
        elif token == "}":
            kind, begun = scopes.pop() if scopes else ("other", start)
            start = begun if kind == "value" else match.end()
        elif token == ";":
            declaration = re.split(r"[={]", re.sub(r"^(?:\s|//[^\n]*)+", "", statement))[0]
            rest_of_line = text[match.end():].split("\n", 1)[0]
            if (scopes and scopes[-1][0] == "class" and HOLDS.search(declaration) and "stack-bound" not in rest_of_line
                    and not re.match(r"(using|friend|static|typedef|template)\b", declaration) and not re.search(r"(?<!function<)\w*\s*\(", re.sub(r"<[^<>;]*>", "", declaration))
                    and not re.search(r"function<", declaration)):
                yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: a data member holds a Tensor; use Held: {' '.join(declaration.split())}"
            start = match.end()
        elif token != "// stack-bound":
            start = match.end()


def main(root):
    errors, count = [], 0
    for top in ("include", "src", "cli", "tests", "bench", "examples", "tools"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".cc", ".h", ".py") or not path.is_file():
                continue
            text, shown, count = path.read_text(), path.relative_to(root), count + 1
            if text.count("\n") > 600:
                errors.append(f"{shown}: {text.count(chr(10))} lines; 600 is the limit")
            if path.suffix == ".py" or top not in ("include", "src", "cli") or path.stem.endswith("_test") or path.stem.startswith("test_"):
                continue
            folder = {"include": INCLUDES_AS.get(path.stem, PUBLIC.get(path.stem, "cli")), "cli": "cli"}.get(top) or path.relative_to(root / "src").parts[0]
            if folder not in LAYERS:
                errors.append(f"{shown}: src/{folder} is not a folder of the house")
                continue
            errors += include_errors(folder, shown, text, top == "include")
            if top == "src":
                errors += member_errors(shown, text)
    print("\n".join(errors + [f"check_layers: {count} files, {len(errors)} mistakes"]))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)))
