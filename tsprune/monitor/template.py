"""The job file that `tsprune job init` writes: every section, with what it is for."""

TEMPLATE = """\
# A scheduled monitoring job.  Check it with `tsprune job check {file}`, run it with `tsprune run {file}`.
# Durations are texts such as "90s", "15min", "1h", "7d".  Paths begin at the folder of this file.
name = "{name}"

[schedule]
every = "1h"           # how often the scheduler starts the job; lateness is judged by it
start = "7d"           # a series seen for the first time is scored from so long ago
late = "0s"            # rows may come so late and are still scored, and what follows them again
# delay = "1min"       # leave rows younger than this to the next run (Prometheus: "1min")
# missing_after = "3h" # a series without a row for so long is an alert of its own; 3 x every
# forget_after = "30d" # ... and after so long it is no longer expected

[source]
kind = "csv"           # "csv", "parquet", "sql" or "prometheus"
path = "metrics.csv"   # a file, or a pattern such as "logs/*.csv"
time = "time"
# values = ["load"]    # columns of the model, in its order; those named in the model
# series = "host"      # column that names the series; without it all rows are of one
# zone = "Europe/Berlin"  # of times written without one
#
# kind = "sql"
# url = "postgresql://monitor:${{DB_PASSWORD}}@host/name"   # or "sqlite:///metrics.db"
# table = "metrics"    # or: query = "SELECT ..."
#
# kind = "prometheus"
# url = "https://prometheus.example"
# queries = {{ load = "avg by (instance) (rate(node_cpu_seconds_total[5m]))" }}
# series = "instance"

[model]
file = "model.tsp"     # made by `tsprune fit`; a new file here goes to work with the next run
# steps = ["deseason", "windows", "select", "iforest"]   # how to learn one, for a refit or instead of a file
# alarms_per_week = 1.0  # sets the threshold from the last `history`; or threshold = 0.61
# history = "60d"

[alert]
for = "0s"             # alarm rows must last so long
cool_down = "0s"       # an alert is over after so long without an alarm row
direction = "both"     # "above" or "below" the expected value
min_absolute = 0.0     # distance from the expected value, in the unit of the series
min_relative = 0.0     # ... as a share of it
group_by = "series"    # "job" for one message per run, or a pattern with one group
# remind = "1d"        # tell again of what nobody has acknowledged

[[sink]]
kind = "stdout"        # "stdout", "file", "webhook" or "alertmanager"

# [[sink]]
# kind = "alertmanager"
# url = "http://localhost:9093"

# [[sink]]
# kind = "webhook"
# url = "https://example.com/hook"
# token_env = "HOOK_TOKEN"

[store]
url = "sqlite:///{name}.db"   # or "postgresql://..."
keep = "90d"           # scores
keep_alerts = "400d"   # alerts that are over, their messages, the log of runs

[metrics]
# textfile = "/var/lib/prometheus/node-exporter/{name}.prom"

[refit]
policy = "never"       # "drift", or "every"; the new model is kept only if it does as well on recent rows
every = "7d"
recent = "14d"
"""
