"""Draw one picture per kind of injected anomaly for docs/injection.md: `python -m benchmarks.draw_injection`."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image

from tsprune.series.inject import inject
from tsprune.series.kinds import KINDS
from tsprune.series.synthetic import signal

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
BEFORE, AFTER, EVENT = "#9aa0a6", "#1f5fa8", "#f2b134"


def draw(kind: str) -> None:
    """One kind: the series before and after, with the events shaded."""
    together = kind == "decorrelation"
    before = signal("coupled", n=480).drop(columns="c") if together else signal("daily", n=480).to_frame()
    after, _, events = inject(before, kinds=kind, n_events=3, random_state=1)
    fig, axes = plt.subplots(len(before.columns), 1, figsize=(9, 3.2 if together else 2.4), sharex=True, squeeze=False)
    for ax, column in zip(axes[:, 0], before, strict=True):
        hit = events[events["column"] == column]
        ax.plot(before.index, before[column], color=BEFORE, lw=1.0, label="before")
        ax.plot(after.index, after[column], color=AFTER, lw=1.1, label="after")
        for event in hit.itertuples():
            ax.axvspan(event.start - pd.Timedelta("1h"), event.end + pd.Timedelta("1h"), color=EVENT, alpha=0.35, lw=0)
        ax.set_ylabel(column, fontsize=8)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(x=0.005)
    axes[0, 0].set_title(f"{kind}: {(KINDS[kind].__doc__ or '').splitlines()[0]}", fontsize=9, loc="left")
    axes[0, 0].legend(fontsize=8, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 0.98))
    fig.tight_layout()
    path = PICTURES / f"inject_{kind}.png"
    fig.savefig(path, dpi=90)
    plt.close(fig)
    Image.open(path).convert("RGB").quantize(32).save(path, optimize=True)  # a fifth of the bytes


def main() -> None:
    """Draw them all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        draw(kind)
        print(f"inject_{kind}.png")


if __name__ == "__main__":
    main()
