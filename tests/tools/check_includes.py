"""Holds every #include under include/ and src/ against the rule of src/README.md: a folder includes
only from the folders above it in the list of layers, and third-party and system headers only where
the two tables allow them. The lists are read from that file, so that it cannot disagree.

usage: check_includes.py ROOT-OF-THE-SOURCES
       check_includes.py --self-test ROOT-OF-THE-SOURCES    also breaks the rule, and expects to see it
"""
import fnmatch
import pathlib
import re
import shutil
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
# <vector>, <cstdint>: the standard library's headers have neither a folder nor an ending.
STANDARD = re.compile(r"[a-z_0-9]+")
PUBLIC = ("include", "sessionblocks/*", "tl/expected.hpp")


def table(text, heading):
    """The rows of the table under a heading: its first two columns, without backticks."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [(row[0].replace("`", "").strip(), row[1].replace("`", "").strip()) for row in rows]


def problems(root):
    readme = (root / "src" / "README.md").read_text()
    layers = [folder.rstrip("/") for folder, _ in table(readme, "Layers")]
    others = [(header, {word.strip() for word in folders.split(",")})
              for header, folders in table(readme, "Headers from outside")]
    found = [f"src/{folder.name}/ is not in the list of layers of src/README.md"
             for folder in sorted((root / "src").iterdir())
             if folder.is_dir() and folder.name not in layers]
    sources = [path for top in ("include", "src") for path in sorted((root / top).rglob("*.[ch]pp"))]
    for path in sources:
        inside = path.relative_to(root)
        folder = "include" if inside.parts[0] == "include" else inside.parts[1]
        for bracket, header in INCLUDE.findall(path.read_text()):
            problem = judge(folder, bracket, header, layers, others)
            if problem:
                found.append(f"{inside}: {header}: {problem}")
    if len(sources) < 2:
        found.append(f"no sources under {root}")
    return found


def judge(folder, bracket, header, layers, others):
    first = header.split("/")[0]
    if bracket == '"':
        if folder == "include":
            return "include/ shows nothing of src/"
        if first not in layers:
            return "name the layer: \"layer/file.hpp\""
        if folder in layers and layers.index(first) > layers.index(folder):
            return f"{first} stands below {folder}"
        return None
    if STANDARD.fullmatch(header) or any(fnmatch.fnmatch(header, name) for name in PUBLIC[1:]):
        return None
    for pattern, folders in others:
        if fnmatch.fnmatch(header, pattern):
            return None if folder in folders else f"belongs to {', '.join(sorted(folders))}"
    return "is in no table of src/README.md"


BROKEN = [
    ("src/core/broken.hpp", '#include "platform/futex.hpp"\n', "platform stands below core"),
    ("src/lockfree/broken.hpp", '  # include "segment/writer.hpp"\n', "segment stands below"),
    ("src/session/broken.cpp", "#include <sys/mman.h>\n", "belongs to"),
    ("src/director/broken.cpp", "#include <boost/interprocess/offset_ptr.hpp>\n", "belongs to"),
    ("src/director/broken.cpp", "#include <boost/spirit.hpp>\n", "is in no table"),
    ("src/segment/broken.cpp", '#include "writer.hpp"\n', "name the layer"),
    ("src/extra/broken.cpp", "", "src/extra/ is not in the list"),
    ("include/sessionblocks/broken.hpp", '#include "core/ids.hpp"\n', "shows nothing"),
    ("include/sessionblocks/broken.hpp", "#include <nlohmann/json.hpp>\n", "belongs to"),
]


def self_test(root):
    found = []
    for name, text, expected in BROKEN:
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder)
            for top in ("include", "src"):
                shutil.copytree(root / top, copy / top)
            (copy / name).parent.mkdir(exist_ok=True)
            (copy / name).write_text(text)
            seen = problems(copy)
            if len(seen) != 1 or expected not in seen[0]:
                found.append(f"{name} with {text!r} gave {seen}, not: {expected}")
    return found


def main():
    root = pathlib.Path(sys.argv[-1])
    found = problems(root)
    if not found and "--self-test" in sys.argv:
        found = self_test(root)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
