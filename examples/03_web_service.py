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
# # A web service: eight metrics, three alarms a week at the most
#
# Six weeks of a simulated service, a row every five minutes.  The second half holds ten incidents and a release that is
# none.  The person on call accepts three alarms a week: that is the only threshold there is to choose.

# %%
import numpy as np

import tsprune as tsp

web = tsp.datasets.load("web_service")
n = int(web.facts["train_share"] * len(web.frame))
past, rest, truth = web.frame[:n], web.frame[n:], web.labels[n:]
print(web)

# %%
pipeline = tsp.Pipeline([tsp.Deseason(), tsp.Pruned("lof"), tsp.Threshold(alarms_per_week=3)]).fit(past)
pipeline

# %% [markdown]
# Every batch that begins `lookback_` slots early gives the same scores, so a job has nothing to remember.  Here nothing looks
# back: each row is scored by its own time and values.

# %%
alarms = pipeline.detect(rest).to_numpy()
edges = np.diff(np.r_[0, truth, 0])
incidents = list(zip(web.facts["events"][-10:], np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))
found = {f"{name} of {rest.index[start]:%a %d %b %H:%M}": bool(alarms[start:stop].any()) for name, start, stop in incidents}
for name, seen in found.items():
    print("found " if seen else "missed", name)
false_alarms = tsp.metrics.false_alarms_per_week(truth, alarms, step=300)
print(f"{false_alarms:.1f} false alarms a week")

# %%
one_by_one = [pipeline.anomaly_score(rest[i : i + 1]).iloc[0] for i in range(0, 2000, 400)]
assert one_by_one == list(pipeline.anomaly_score(rest).iloc[0:2000:400])
assert sum(found.values()) >= 7
assert false_alarms <= 3
