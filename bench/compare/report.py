# report.py - the table, its machine-readable form and the plot of one comparison
# SPDX-License-Identifier: MIT OR Apache-2.0
import datetime
import json
import os
import statistics

import figures
import machine

LEVELS = [0.90, 0.95, 0.99]
QPS_TARGET, BUILD_TARGET = 1.8, 0.7  # of hnswlib's, at recall 0.95 and for a build
NOTES = """\
- Speed is queries a second of the searching thread's processor time, interpolated between the two
  nearest ef (log speed linear in recall). "max" is the best recall a contender came to, ">=" the
  speed at its lowest ef where even that finds more.
- Memory is what opening the index and answering all queries added to the resident bytes of a fresh
  process; of nigh it is the whole command in the middle of it, queries included. File is all bytes
  of the index.
- nigh reads its index into huge pages (`--load`), "mapped" uses the file where it is. Its peers
  allocate as they do.
- Queries are given in one call where there is a batch call, else one after another from Rust.
- Under cosine, peers whose cosine takes norms again for every pair get unit rows and their inner
  product (or l2) instead: usearch, faiss, SVS, hnswlib-rs, hnsw_rs, instant-distance.
"""


def megabytes(count):
    return f"{count / 1e6:,.1f}" if count < 1e8 else f"{count / 1e6:,.0f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


class Result:
    def __init__(self, data, facts, field, missing, reads):
        self.data, self.facts, self.missing, self.reads = data, facts, missing, reads
        self.points = {one.name: one.points() for one in field}
        self.field = sorted(field, key=self.rank)
        self.name = f"{datetime.date.today().isoformat()}-{data.label}"

    def rank(self, one):
        """Fastest at 0.95 first; then who never gets there."""
        points = self.points[one.name]
        speed = figures.at_recall(points, 0.95)
        if speed is None and min(points)[0] > 0.95:
            speed = max(value for _, value in points)
        return (0, -speed) if speed else (1, -max(points)[0])

    def ours(self):
        return [one for one in self.field if one.distances]

    def one(self, name):
        return next((one for one in self.field if one.name == name), None)

    # ---- Tables -------------------------------------------------------------------------------

    def main_table(self):
        first = self.one("hnswlib")
        bases = {level: figures.at_recall(self.points["hnswlib"], level) if first else None
                 for level in (0.95, 0.99)}
        rows = []
        for one in self.field:
            points = self.points[one.name]
            name = f"**{one.name}**" if one.distances else f"{one.name} {one.version}"
            rows.append([name, f"{one.build_seconds:,.1f}",
                         *(figures.shown_at(points, level) for level in LEVELS),
                         *(figures.ratio(figures.at_recall(points, level), base)
                           for level, base in bases.items()),
                         megabytes(statistics.median(one.memory)), megabytes(one.file_bytes)])
        return table(["contender", "build s", *(f"q/s at {level:.2f}" for level in LEVELS),
                      "x hnswlib at 0.95", "at 0.99", "memory MB", "file MB"], rows)

    def bounds(self):
        """(contender, level, speed, distances, ns a read, bound) of ours, where it was reached."""
        for one in self.ours():
            read_ns = machine.read_ns(self.reads, one.row_bytes, self.data.count)
            asked = [(recall, one.distances[ef]) for ef, recall in one.recalls.items()]
            for level in LEVELS:
                speed = figures.at_recall(self.points[one.name], level)
                distances = figures.at_recall(asked, level)
                if speed and distances and read_ns:
                    yield (one, level, speed, distances, read_ns,
                           figures.bound(read_ns, distances))

    def bound_table(self):
        rows = [[f"{one.name} at {level:.2f}", f"{speed:,.0f}", f"{distances:,.0f}",
                 f"{one.row_bytes}", f"{read_ns:.1f}", f"{bound:,.0f}", f"{speed / bound:.0%}"]
                for one, level, speed, distances, read_ns, bound in self.bounds()]
        if not rows:
            return []
        return ["## Beside what the memory allows", "",
                "A random row of that size, read by one core from this many rows in the order and "
                "with the prefetch that is fastest here, costs the nanoseconds given; times the "
                "rows a query scores it bounds the speed. A search that meets the same rows again "
                "and again, in a cache, can use more than all of it.", "",
                *table(["contender", "q/s", "rows a query", "bytes", "ns a row", "bound q/s",
                        "used"], rows)]

    def recall_table(self):
        shown = [one for one in (self.one("hnswlib"), *self.ours()) if one and one.knob == "ef"]
        efs = sorted(set().union(*(one.recalls for one in shown)))
        rows = [[str(ef), *(f"{one.recalls[ef]:.4f}" if ef in one.recalls else ""
                            for one in shown)] for ef in efs]
        return ["## Recall at the same ef", "", *table(["ef", *(one.name for one in shown)], rows)]

    def markdown(self, picture):
        lines = [f"# {self.data.title}: nigh and its peers", ""]
        lines += [f"- {name}: {value}" for name, value in self.facts]
        lines += [f"- without {name}: {why}" for name, why in self.missing]
        lines += ["", *self.main_table()]
        if picture:
            lines += [f"![queries a second over recall]({picture})", ""]
        lines += [NOTES + "".join(f"- {one.name}: {one.note}.\n" for one in self.field if one.note)]
        return "\n".join(lines + self.bound_table() + self.recall_table()).rstrip("\n") + "\n"

    def as_json(self):
        bounds = list(self.bounds())
        return {"set": self.data.label, "title": self.data.title, "facts": dict(self.facts),
                "missing": dict(self.missing), "contenders": [{
                    "name": one.name, "version": one.version, "build_cpu_s":
                    [build["cpu_s"] for build in one.builds],
                    "build_peak_bytes": [1024 * build.get("peak_kb", 0) for build in one.builds],
                    "memory_bytes": one.memory, "file_bytes": one.file_bytes,
                    "at": {f"{level:.2f}": figures.at_recall(self.points[one.name], level)
                           for level in LEVELS},
                    "bound": {f"{at[1]:.2f}": at[5] for at in bounds if at[0] is one},
                    "sweep": [{one.knob: ef, "recall": one.recalls[ef],
                               "distances": one.distances.get(ef), "qps": speed,
                               "pass_cpu_s": [times[ef] for times in one.rounds]}
                              for ef, (_, speed) in zip(one.rounds[0], self.points[one.name])]}
                    for one in self.field]}

    def write(self, folder):
        """The three files; yields their paths."""
        os.makedirs(folder, exist_ok=True)
        texts = {".md": self.markdown(self.name + ".svg"),
                 ".json": json.dumps(self.as_json(), indent=1) + "\n"}
        for ending, text in texts.items():
            path = os.path.join(folder, self.name + ending)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            yield path
        try:
            import plot  # only here: the rest works without matplotlib
        except ImportError:
            return
        path = os.path.join(folder, self.name + ".svg")
        plot.draw(path, self.data.title,
                  [(one.name, bool(one.distances), one.number, self.points[one.name])
                   for one in self.field])
        yield path

    # ---- Targets ------------------------------------------------------------------------------

    def verdicts(self):
        """(target, figure, whether it is met) of nigh f32 beside hnswlib."""
        theirs, ours = self.one("hnswlib"), self.one("nigh f32")
        gains = [ours.recalls[ef] - theirs.recalls[ef] for ef in ours.recalls
                 if ef in theirs.recalls]
        yield ("recall at every equal ef at or above hnswlib's",
               f"from {min(gains):+.4f} to {max(gains):+.4f}, mean {statistics.mean(gains):+.4f}",
               min(gains) >= 0)
        speeds = [figures.at_recall(self.points[one.name], 0.95) for one in (ours, theirs)]
        yield (f"queries a second at recall 0.95: at least {QPS_TARGET} x",
               figures.ratio(*speeds) + " x",
               None not in speeds and speeds[0] >= QPS_TARGET * speeds[1])
        yield (f"build time: at most {BUILD_TARGET} x",
               figures.ratio(ours.build_seconds, theirs.build_seconds) + " x",
               ours.build_seconds <= BUILD_TARGET * theirs.build_seconds)

    def check(self):
        """Exit status: 1 when a target is missed or one of the two is not there."""
        if not self.one("hnswlib") or not self.one("nigh f32"):
            print("\nMISSED: hnswlib or nigh did not run")
            return 1
        said = list(self.verdicts())
        print()
        for target, figure, met in said:
            print(f"- {'met' if met else 'MISSED'}: {target} ({figure})")
        return 0 if all(met for _, _, met in said) else 1
