"""The same stage of many series as one: columns are series after series, each with its channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.kernels.panel import SeasonTable, subtract_seasons
from tsprune.kernels.season import phase
from tsprune.model.adapted import AdaptedSeason
from tsprune.model.season import SeasonProfile
from tsprune.model.smooth import Smoother

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tsprune.model.clock import Slots
    from tsprune.model.part import Part
    from tsprune.types import Floats, Ints, Matrix

    Stage = Callable[[Matrix, Slots, "Phases"], Matrix]


class Phases:
    """The bin of each row by period: worked out once for all series."""

    def __init__(self, slots: Slots):
        self.slots = slots
        self.known: dict[tuple[float, int, bool], Ints] = {}

    def __call__(self, table: SeasonTable) -> Ints:
        key = (table.period, table.bins, table.wall)
        if key not in self.known:
            self.known[key] = phase(self.slots.wall if table.wall else self.slots.absolute, table.period, table.bins)
        return self.known[key]


def form(part: Part) -> Hashable:
    """Parts of equal form can be joined: they differ only in what they hold for each column."""
    if isinstance(part, SeasonProfile):
        return ("season", part.n_features)
    if isinstance(part, AdaptedSeason):
        return ("adapted", part.n_features, part.season.wall, part.cycles, part.margin, part.share)
    return (type(part).__name__, *(_held(part, field.name) for field in dataclasses.fields(part)))  # type: ignore[arg-type]


def _held(part: Any, name: str) -> Hashable:
    value = getattr(part, name)
    if not isinstance(value, np.ndarray):
        return (name, value)
    return (name, value.shape) if len(value) == part.n_features else (name, value.tobytes())


def joined(parts: Sequence[Any]) -> Stage:
    """One stage of several series of one form as a function of their matrix: the bits of each alone."""
    first = parts[0]
    if isinstance(first, SeasonProfile):
        tables = season_tables(parts)
        return lambda values, slots, phases: subtract_seasons(values, tables, [phases(table) for table in tables])
    if isinstance(first, Smoother):
        return _smoother(parts)
    wide = _adapted(parts) if isinstance(first, AdaptedSeason) else _columns(parts)
    return lambda values, slots, phases: wide.apply(values, slots)


def _columns(parts: Sequence[Any]) -> Any:
    """A part with the columns of all."""
    first = parts[0]
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(first):
        value = getattr(first, field.name)
        if isinstance(value, np.ndarray) and len(value) == first.n_features:
            changed[field.name] = np.concatenate([getattr(part, field.name) for part in parts])
        elif field.name == "n_features":
            changed[field.name] = value * len(parts)
    return dataclasses.replace(first, **changed)


def _adapted(parts: Sequence[AdaptedSeason]) -> AdaptedSeason:
    """Adapted seasons of several series as one part."""
    seasons = [part.season for part in parts]
    width = seasons[0].n_features
    wide = dataclasses.replace(
        seasons[0],
        n_features=width * len(parts),
        columns=tuple(s * width + column for s, season in enumerate(seasons) for column in season.columns),
        bins=tuple(bins for season in seasons for bins in season.bins),
        **{name: np.concatenate([getattr(season, name) for season in seasons]) for name in ("periods", "profiles")},  # type: ignore[arg-type]
    )
    return dataclasses.replace(parts[0], season=wide, clip=np.concatenate([part.clip for part in parts]))


def _smoother(parts: Sequence[Smoother]) -> Stage:
    """A smoother of several series: with the raw columns before the smoothed ones of each series, not of all."""
    wide, n, m = _columns(parts), len(parts), parts[0].n_features
    if not wide.add:
        return lambda values, slots, phases: wide.apply(values, slots)
    return lambda values, slots, phases: _by_series(wide.apply(values, slots), n, m)


def _by_series(values: Matrix, n: int, m: int) -> Matrix:
    """Raw columns of all series, then smoothed ones of all, as both of one series after both of the other."""
    return np.ascontiguousarray(values.reshape(len(values), 2, n, m).transpose(0, 2, 1, 3)).reshape(len(values), -1)


def season_tables(parts: Sequence[SeasonProfile]) -> list[SeasonTable]:
    """The profiles of many series, those of one period together; first terms of all come before second ones."""
    width = parts[0].n_features
    found: dict[tuple[int, float, int, bool], list[tuple[int, Floats]]] = {}
    for s, part in enumerate(parts):
        start, terms = 0, [0] * width
        for column, period, bins in zip(part.columns, part.periods.tolist(), part.bins, strict=True):
            key = (terms[column], period, bins, part.wall)
            found.setdefault(key, []).append((s * width + column, part.profiles[start : start + bins]))
            terms[column] += 1
            start += bins
    tables = []
    for (_, period, bins, wall), own in sorted(found.items(), key=lambda item: item[0]):
        columns = np.array([column for column, _ in own])
        everything = len(columns) == width * len(parts)
        tables.append(SeasonTable(None if everything else columns, period, bins, wall, np.column_stack([profile for _, profile in own])))
    return tables
