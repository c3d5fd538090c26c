# figures.py - what the measured points say: speed at a recall, medians, shares of a bound
# SPDX-License-Identifier: MIT OR Apache-2.0
import math
import statistics


def recall(ids, true):
    """Mean share of the true ids that were found; both are rows of ids."""
    hits = sum(len(set(map(int, row)) & set(map(int, want))) for row, want in zip(ids, true))
    return hits / true.size


def at_recall(points, level):
    """The value at a recall of points (recall, value): its logarithm is taken to be linear in
    recall between the two neighbours. None outside of what was measured."""
    points = sorted(points)
    for (low, a), (high, b) in zip(points, points[1:]):
        if low <= level <= high and high > low:
            part = (level - low) / (high - low)
            return math.exp(math.log(a) * (1 - part) + math.log(b) * part)
    return next((value for at, value in points if at == level), None)


def shown_at(points, level):
    """The same as text: '>= 9,000' where all recalls are above, 'max .968' where all are below."""
    value = at_recall(points, level)
    if value:
        return f"{value:,.0f}"
    if points and min(points)[0] > level:
        return f">= {max(value for _, value in points):,.0f}"
    return f"max {max(points)[0]:.3f}".replace("0.", ".") if points else "-"


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def median_speeds(count, rounds):
    """Queries a second of each ef: the median over rounds of the median pass. rounds[r][ef] is a
    list of seconds for `count` queries."""
    return {ef: count / statistics.median(statistics.median(times[ef]) for times in rounds)
            for ef in rounds[0]}


def spread(rounds):
    """How far rounds lie apart, (slowest - fastest) / median of a point; the median point's."""
    wide = []
    for ef in rounds[0]:
        times = [statistics.median(times[ef]) for times in rounds]
        wide.append((max(times) - min(times)) / statistics.median(times))
    return statistics.median(wide)


def bound(read_ns, distances):
    """Queries a second if reading the rows, as fast as this machine can, were all the work."""
    return 1e9 / (read_ns * distances)
