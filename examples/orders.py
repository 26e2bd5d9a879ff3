"""Sums orders by month and country with pandas, and writes Parquet.

    wafer run orders.py --library-set analytics -- --orders 200000

The orders are made up, by a generator with a fixed seed.
"""

import sys

import numpy as np
import pandas as pd
from awsglue.utils import getResolvedOptions


def make_orders(count):
    random = np.random.default_rng(2018)
    start = np.datetime64("2018-01-01")
    return pd.DataFrame(
        {
            "day": start + random.integers(0, 365, count),
            "country": random.choice(["DE", "FR", "PL", "SE"], count),
            "amount": random.gamma(2.0, 30.0, count).round(2),
        }
    )


def sum_up(orders):
    month = orders["day"].dt.to_period("M").astype(str).rename("month")
    sums = orders.groupby([month, "country"])["amount"].agg(["count", "sum"])
    return sums.reset_index()


def main():
    options = getResolvedOptions(sys.argv, ["orders"])
    sums = sum_up(make_orders(int(options["orders"])))
    sums.to_parquet("/tmp/sums.parquet")
    kept = pd.read_parquet("/tmp/sums.parquet")
    print(kept.pivot(index="month", columns="country", values="sum").round(0))
    print(f"{kept['count'].sum()} orders, {kept['sum'].sum():.2f} in all")


if __name__ == "__main__":
    main()
