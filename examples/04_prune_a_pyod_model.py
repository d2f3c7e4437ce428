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
# # Prune a PyOD model that you already have
#
# A script of yours fits a PyOD detector on a matrix of features.  `tsp.prune` takes the fitted object, leaves it as it is, and gives
# a smaller one with nearly the same scores, and says how nearly.

# %%
import pickle

import numpy as np
from pyod.models.iforest import IForest

import tsprune as tsp

web = tsp.datasets.load("web_service")
X = tsp.Windows(6).fit_transform(tsp.Deseason().fit_transform(web.frame[["requests", "latency_ms", "errors"]])).dropna()
past, later = X[: len(X) // 2].to_numpy(), X[len(X) // 2 :].to_numpy()

yours = IForest(n_estimators=100, random_state=0).fit(past)

# %% [markdown]
# Of 100 trees every node is a part.  With `keep="auto"` as many go as the guard's fidelity allows: Spearman's correlation of 0.99 with
# the whole forest, as a lower bound on rows that the cut has not seen.  The ceiling says what that is worth: two halves of the
# forest agree with each other less than the pruned one agrees with the whole.

# %%
pruned = tsp.prune(yours, past, random_state=0)
print(f"{pruned.n_parts_before_:,} nodes -> {pruned.n_parts_after_:,}")
print(f"{pruned.bytes_before_:,} bytes -> {pruned.bytes_after_:,} (pickled: {len(pickle.dumps(yours)):,})")
print(f"fidelity {pruned.fidelity_:.3f}, two halves of the forest agree at {pruned.ceiling_:.3f}")

# %% [markdown]
# Later rows were seen by neither.  The hundred that stand out most are nearly the same ones.

# %%
before, after = yours.decision_function(later), pruned.anomaly_score(later)
top = len(set(np.argsort(before)[-100:]) & set(np.argsort(after)[-100:]))
print(f"{top} of the 100 highest rows are the same")

# %% [markdown]
# Where the rest of the script expects a PyOD detector, `tsp.as_pyod` shows it one.

# %%
detector = tsp.as_pyod(tsp.Pruned(IForest(random_state=0), random_state=0), contamination=0.01).fit(past)
print(
    detector.labels_.sum(),
    "training rows are labelled 1;",
    detector.predict_proba(later)[:, 1].max().round(2),
    "is the largest probability",
)

# %%
assert pruned.n_parts_after_ < 0.5 * pruned.n_parts_before_
assert pruned.fidelity_ > 0.98 > pruned.ceiling_
assert np.corrcoef(before, after)[0, 1] > 0.95
assert top >= 70
