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
# # When a stage hurts
#
# Detrending and denoising look like good manners.  El Niño lasts a year: a trend over the last two years takes much of it away, and
# a median over five months in place of the signal takes the rest's edges.  The report says so, and a guard takes the consequence.

# %%
import tsprune as tsp

sea = tsp.datasets.load("elnino")
n = int(sea.facts["train_share"] * len(sea.frame))
past, rest, truth = sea.frame[:n], sea.frame[n:], sea.labels[n:]

tidy = tsp.Pipeline(
    [
        tsp.Deseason(),
        tsp.Detrend(length=24),
        tsp.Windows(3, features="raw"),
        tsp.Pruned("iforest", random_state=0),
    ]
).fit(past)
report = tidy.report(rest, truth, metrics=("vus_pr", "auc_pr"), n_boot=100)
print(report)
report.plot()

# %% [markdown]
# `guarded` gives a new pipeline without the stages that may cost more than the guard's `quality_loss`.

# %%
guard = tsp.Guard(quality_loss=0.05)
for stage, reason in report.refused(guard).items():
    print(f"refused {stage}: {reason}")
guarded = tidy.guarded(report, guard).fit(past)
print("what stays:", *guarded.named_stages_)

# %%
quality = {
    name: tsp.metrics.vus_pr(truth, pipeline.anomaly_score(rest, context=past), buffer=12)
    for name, pipeline in (("tidy", tidy), ("guarded", guarded))
}
print(quality)

assert "detrend" in report.refused(guard)
assert "deseason" in guarded.named_stages_
assert quality["guarded"] > quality["tidy"] + 0.1
