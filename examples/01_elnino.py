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
# # El Niño: from a raw series to a pruned model and its report
#
# Sea-surface temperature off Peru, a value a month since 1950.  Strong El Niño years are the anomalies.  The year is learned from
# the first 21 years, which hold two of them, and later years are judged.

# %%
import tempfile
from pathlib import Path

import numpy as np

import tsprune as tsp

sea = tsp.datasets.load("elnino")
n = int(sea.facts["train_share"] * len(sea.frame))
past, rest, truth = sea.frame[:n], sea.frame[n:], sea.labels[n:]
print(sea)
print(*tsp.find_periods(past["value"]), sep="\n")

# %% [markdown]
# A pipeline is a list of steps; `fit` learns from the past and needs no labels.  The detector is an isolation forest, cut as far
# as its scores stay the same: the guard asks for a rank agreement of 0.99 on held-back rows.

# %%
pipeline = tsp.Pipeline(
    [tsp.Deseason(), tsp.Windows(3, features="raw"), tsp.Pruned("iforest", random_state=0), tsp.Threshold(rate=0.02)]
).fit(past)
pipeline

# %% [markdown]
# The report takes each stage out in turn, refits what stands behind it, and compares both on the same rows.

# %%
report = pipeline.report(rest, truth, n_boot=100)
print(report)
report

# %%
report.plot()

# %%
tsp.plot.signal(report)

# %% [markdown]
# Frozen, the pipeline is a file of arrays.  Loading and scoring it takes numpy only, and gives the same scores to the bit.

# %%
folder = Path(tempfile.mkdtemp())
pipeline.freeze().save(folder / "sea.tsp")
model = tsp.load(folder / "sea.tsp")
print(model.describe())

# %%
effects = report.to_frame().set_index(["stage", "metric"])
pruned = pipeline.named_stages_["pruned"]
scores = model.anomaly_score(sea.frame.to_numpy(), sea.frame.index.to_numpy())[n:]

assert effects.loc[("deseason", "vus_pr"), "verdict"] == "helps"
assert pruned.fidelity_ > 0.99
assert pruned.bytes_after_ < 0.3 * pruned.bytes_before_
assert np.array_equal(scores, report.scores, equal_nan=True)
print(f"found {report.facts['events_found']:.0f} of {report.facts['events']:.0f} events, {report.facts['alarms_outside']:.0f} false alarms")
