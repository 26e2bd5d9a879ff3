"""Say what the job was started with.

    wafer run hello.py -- --name Ada --day 2018-11-26
"""

import sys

from awsglue.utils import getResolvedOptions

print("sys.argv:", sys.argv)
args = getResolvedOptions(sys.argv, [], defaults={"name": "world", "day": None})
print(f"Hello, {args['name']}!")
if args["day"]:
    print(f"The day is {args['day']}.")
