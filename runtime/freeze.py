"""Compiles modules into C, when the project is built.

    freeze.py WAFER_BOOTSTRAP.py STANDARD_MODULE... > FROZEN.inc

The output defines an array of bytes a module, its marshalled code object, which
only the Python version that wrote it can read; and frozen_modules, the table of
the standard ones for PyImport_FrozenModules.
"""

import importlib.util
import marshal
import os
import sys


def main():
    bootstrap, *standard = sys.argv[1:]
    print_array("bootstrap_code", bootstrap, os.path.basename(bootstrap))
    rows = []
    for name in standard:
        spec = importlib.util.find_spec(name)
        array = "frozen_" + name.replace(".", "_")
        print_array(array, spec.origin, f"<frozen {name}>")
        package = int(spec.submodule_search_locations is not None)
        rows.append(f'{{"{name}", {array}, (int)sizeof {array}, {package},'
                    " NULL},")
    print("static const struct _frozen frozen_modules[] = {", *rows,
          "{NULL, NULL, 0, 0, NULL}};")


def print_array(array, path, file_name):
    with open(path, "rb") as file:
        code = compile(file.read(), file_name, "exec", dont_inherit=True,
                       optimize=0)
    data = marshal.dumps(code)
    print(f"static const unsigned char {array}[] = {{")
    for start in range(0, len(data), 12):
        print(" ".join(f"{byte}," for byte in data[start:start + 12]))
    print("};")


main()
