# plot.py - speed over recall as an SVG: ours bold in black and orange, a colour for each peer
# SPDX-License-Identifier: MIT OR Apache-2.0
import math
import os

os.environ.setdefault("MPLBACKEND", "Agg")
import matplotlib  # noqa: E402
from matplotlib import pyplot  # noqa: E402

# Okabe and Ito's colours, which differ for every kind of colour vision; markers and dashes say it
# again. The yellow of theirs is left out: it is hard to see on white.
OURS = [("#000000", "-"), ("#D55E00", "-"), ("#000000", "--"), ("#D55E00", "--"), ("#000000", ":"),
        ("#D55E00", ":")]
PEERS = ["#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
DASHES = ["-", (0, (4, 1.5)), (0, (1.2, 1.2))]
MARKERS = "osD^vPX<>*ph"
RECALL_MIN, RECALL_MAX = 0.8, 0.999
TICKS = [0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999]


def place(recall):
    """Where a recall stands: each halving of what is missed is one step to the right."""
    return -math.log2(1 - min(recall, 0.9999))


def shown(points):
    """The part inside the plot, cut at its edges by the same interpolation as the table's."""
    points = sorted(points)
    inside = [point for point in points if RECALL_MIN <= point[0] <= RECALL_MAX]
    below = [point for point in points if point[0] < RECALL_MIN]
    if below and inside:
        (low, slow), (high, fast) = below[-1], inside[0]
        part = (RECALL_MIN - low) / (high - low)
        inside.insert(0, (RECALL_MIN, math.exp(
            math.log(slow) * (1 - part) + math.log(fast) * part)))
    return inside


def draw(path, title, curves):
    """curves: [(name, whether it is ours, its number among ours or the peers, its colour in every
    plot, [(recall, queries a second)])] in the order of the key."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "nigh", "font.size": 11,
                                "font.family": "sans-serif"})
    figure, axes = pyplot.subplots(figsize=(10, 6))
    for name, is_ours, number, points in curves:
        points = shown(points)
        if is_ours:
            (colour, dash), marker, width = OURS[number % len(OURS)], ".", 2.6
        else:
            colour = PEERS[number % len(PEERS)]
            dash = DASHES[number // len(PEERS) % len(DASHES)]
            marker, width = MARKERS[number % len(MARKERS)], 1.3
        axes.plot([place(recall) for recall, _ in points], [speed for _, speed in points],
                  color=colour, linestyle=dash, marker=marker, markersize=8 if is_ours else 4.5,
                  linewidth=width, zorder=3 if is_ours else 2, label=name)
    axes.set_yscale("log")
    axes.set_xlim(place(RECALL_MIN), place(RECALL_MAX))
    axes.set_xticks([place(tick) for tick in TICKS], [f"{tick:g}" for tick in TICKS])
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.grid(True, color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("recall@10")
    axes.set_ylabel("queries a second, one thread (log)")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, handlelength=3.4,
                title="fastest at 0.95 first", alignment="left")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
