"""What feature selection drops, and what it only flags."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tsprune.errors import BadParameter
from tsprune.features import SelectFeatures


@pytest.fixture
def crowd() -> pd.DataFrame:
    """Six related columns, one constant, one copy, one that is noise."""
    rng = np.random.default_rng(0)
    base = np.cumsum(rng.normal(size=(600, 2)), axis=0)
    related = base @ rng.normal(size=(2, 6)) + rng.normal(size=(600, 6)) * 0.2
    frame = pd.DataFrame(related, columns=[f"s{i}" for i in range(6)])
    return frame.assign(flat=7.0, twin=frame["s1"] * -3 + 2, noise=rng.normal(size=600))


def test_constants_and_copies_go_and_the_reason_is_told(crowd):
    stage = SelectFeatures().fit(crowd)

    assert stage.dropped_ == {"flat": "constant", "twin": "copy of s1"}


def test_an_unrelated_column_is_flagged_not_dropped(crowd):
    stage = SelectFeatures().fit(crowd)

    assert stage.unrelated_ == ("noise",)
    assert "noise" in stage.transform(crowd).columns


def test_an_unrelated_column_goes_on_request(crowd):
    assert list(SelectFeatures(criterion="unrelated").fit_transform(crowd).columns) == [f"s{i}" for i in range(6)]


def test_few_columns_are_never_called_unrelated():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=list("abc"))

    assert SelectFeatures(criterion="unrelated").fit(frame).dropped_ == {}


def test_a_share_keeps_the_best_explained(crowd):
    stage = SelectFeatures(keep=0.5).fit(crowd)

    assert stage.part_.n_out == round(0.5 * 7)
    assert stage.dropped_["noise"] == "beyond the share 0.5"


def test_when_all_is_constant_one_column_stays():
    assert SelectFeatures().fit(pd.DataFrame({"a": np.ones(5), "b": np.zeros(5)})).part_.kept == (0,)


def test_a_column_name_that_stands_twice_is_refused():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=["a", "a"])
    with pytest.raises(BadParameter, match="stands twice"):
        SelectFeatures().fit(frame)
