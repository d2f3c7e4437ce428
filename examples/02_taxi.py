# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Taxi demand: the period decides more than the method
#
# Taxi passengers of New York every half hour (Numenta Anomaly Benchmark).  The anomalies are a marathon, holidays and a snow
# storm: days on which the week does not look like a week.  The same forest is worth chance or three times as much, by the
# period that is taken out before it.
#
# The series does not come with tsprune.  The folder that `TSPRUNE_SHARED` names must hold `data/nab/realKnownCause__nyc_taxi.parquet`.

# %%
import os
import sys
from pathlib import Path

import pandas as pd

import tsprune as tsp

file = Path(os.environ.get("TSPRUNE_SHARED", "../shared")) / "data/nab/realKnownCause__nyc_taxi.parquet"
if not file.exists():
    print(f"skipped: {file} is absent; set TSPRUNE_SHARED to the folder that holds data/")
    sys.exit(0)
taxi = pd.read_parquet(file).set_index("timestamp")
n = int(0.35 * len(taxi))
past, rest, truth = taxi[["value"]][:n], taxi[["value"]][n:], taxi["label"][n:]

# %% [markdown]
# What repeats is found in the past: a day explains much of it, a week nearly all.

# %%
print(*tsp.find_periods(past["value"]), sep="\n")

# %%
DAY = 48


def quality(*stages):
    """VUS-PR on the later rows, and what shuffled scores get; seed 0."""
    pipeline = tsp.Pipeline([*stages, tsp.Windows(8), tsp.Pruned("iforest", random_state=0)]).fit(past)
    scores = pipeline.anomaly_score(rest, context=past)
    return tsp.metrics.vus_pr(truth, scores, buffer=DAY), tsp.metrics.chance(tsp.metrics.vus_pr, truth, scores, buffer=DAY)


found = {
    "no period": quality(),
    "a day": quality(tsp.Deseason(DAY)),
    "a week": quality(tsp.Deseason(7 * DAY)),
    "found": quality(tsp.Deseason()),
}
for name, (vus, chance) in found.items():
    print(f"{name:<10} VUS-PR {vus:.3f}  (chance {chance:.3f})")

# %%
assert found["no period"][0] < found["a day"][0] < found["a week"][0]
assert found["found"][0] > 2 * found["found"][1]
