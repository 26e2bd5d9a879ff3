"""Copy a CSV file with one column in upper case.

    wafer run uppercase_csv.py --mount in:/data/in --mount out:/data/out:rw \\
        -- --column city --file people.csv
"""

import csv
import os
import sys

from awsglue.utils import getResolvedOptions

args = getResolvedOptions(
    sys.argv,
    ["column", "file"],
    defaults={"source": "/data/in", "target": "/data/out"},
)
source = os.path.join(args["source"], args["file"])
target = os.path.join(args["target"], args["file"])

with open(source, encoding="utf-8", newline="") as lines:
    rows = csv.DictReader(lines)
    if args["column"] not in (rows.fieldnames or []):
        sys.exit(f"{source} has no column {args['column']}")
    # The target gets its name once it is whole: nobody reads half of it.
    with open(target + ".tmp", "w", encoding="utf-8", newline="") as output:
        writer = csv.DictWriter(output, rows.fieldnames)
        writer.writeheader()
        for row in rows:
            row[args["column"]] = (row[args["column"]] or "").upper()
            writer.writerow(row)
    os.replace(target + ".tmp", target)
print(f"{target}: {rows.line_num - 1} lines")
