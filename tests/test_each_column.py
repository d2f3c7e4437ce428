"""A detector that looks at each column alone."""

from __future__ import annotations

import numpy as np
import pytest

from tsprune.detect import SubspaceDistance
from tsprune.detect.columns import EachColumn
from tsprune.detect.standard import own_part
from tsprune.errors import BadParameter, NotPrunable
from tsprune.features.views import view, view_width
from tsprune.model.blend import Tail
from tsprune.model.chain import load
from tsprune.pipeline import Pipeline

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(400, 6)) * [1.0, 2.0, 1e3, 1e3, 0.1, 0.1]


def test_the_score_is_the_mean_of_calibrated_distances_of_each_column():
    detector = EachColumn(2).fit(ROWS)
    new = RNG.normal(size=(50, 6)) * [1.0, 2.0, 1e3, 1e3, 0.1, 0.1]

    tails = []
    for first in (0, 2, 4):
        own = slice(first, first + 2)
        tail = Tail.of(SubspaceDistance().fit(ROWS[:280, own]).anomaly_score(ROWS[280:, own]))
        tails.append(tail.u(SubspaceDistance().fit(ROWS[:, own]).anomaly_score(new[:, own])))

    np.testing.assert_allclose(detector.anomaly_score(new), np.mean(tails, axis=0), rtol=1e-12)


def test_noise_of_many_columns_does_not_drown_a_fault_in_one():
    rows = RNG.normal(size=(1000, 30))
    rows[:, 7] *= 0.02
    later = RNG.normal(size=(300, 30)) * np.where(np.arange(30) == 7, 0.02, 1.0)
    later[200, 7] = 0.2

    assert int(np.argmax(EachColumn(1).fit(rows).anomaly_score(later))) == 200


def test_a_pipeline_with_it_is_saved_and_scores_alike_row_by_row(tmp_path):
    values = RNG.normal(size=(500, 3))
    pipeline = Pipeline([view("point"), EachColumn(view_width("point"))]).fit(values[:400])
    pipeline.freeze().save(tmp_path / "model.tsp")
    model = load(tmp_path / "model.tsp")

    whole = model.anomaly_score(values)

    np.testing.assert_array_equal(whole, np.asarray(pipeline.anomaly_score(values)))
    start = 499 - model.lookback
    assert model.anomaly_score(values[start:])[-1] == whole[-1]


def test_few_rows_are_calibrated_on_themselves():
    assert np.isfinite(EachColumn(1).fit(ROWS[:20]).anomaly_score(ROWS)).all()


def test_nonsense_is_refused():
    with pytest.raises(BadParameter, match="width is 4"):
        EachColumn(4).fit(ROWS)
    with pytest.raises(NotPrunable, match="not fitted"):
        own_part(EachColumn(1))


def test_a_table_too_wide_for_a_file_is_refused_when_it_is_saved_and_names_the_way_out(tmp_path, monkeypatch):
    """A column takes some 525 bytes of a header, which may have a million: 1,200 columns were saved with 630 kB."""
    model = Pipeline([view("point"), EachColumn(view_width("point"))]).fit(RNG.normal(size=(60, 40))).freeze()
    monkeypatch.setattr("tsprune.model.file.LONGEST", 40 * 600)
    model.save(tmp_path / "model.tsp")
    monkeypatch.setattr("tsprune.model.file.LONGEST", 40 * 500)
    with pytest.raises(BadParameter, match="Give fewer columns"):
        model.save(tmp_path / "wide.tsp")
    assert not (tmp_path / "wide.tsp").exists()
