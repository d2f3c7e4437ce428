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
# # Without labels
#
# Nobody has labelled your series.  The report then writes anomalies of twelve kinds into a copy of the rows, judges each stage by
# them, and says so in every line.  Injected anomalies are not those that will come: they tell whether a stage can see changes
# of level, spread, shape and timing, not which of them your machine will show.

# %%
import tsprune as tsp

sea = tsp.datasets.load("elnino")
past, rest = sea.frame[:240], sea.frame[240:]
pipeline = tsp.Pipeline([tsp.Deseason(), tsp.Windows(3, features="raw"), tsp.Pruned("iforest", random_state=0)]).fit(past)

injected = pipeline.report(rest, metrics=("vus_pr",), n_boot=50)
print(injected)

# %% [markdown]
# Here we do have labels, and can see how well injection foretold them.

# %%
labelled = pipeline.report(rest, sea.labels[240:], metrics=("vus_pr",), n_boot=50)
for a, b in zip(injected.stages, labelled.stages, strict=True):
    print(f"{a.stage:<10} injected {a.effect:+.3f} ({a.verdict}), labelled {b.effect:+.3f} ({b.verdict})")

# %%
assert injected.source == "injected"
assert labelled.source == "labels"
assert injected.sentences()[0].startswith("Quality is estimated by injection")
assert injected.stages[0].effect > 0
assert labelled.stages[0].effect > 0
