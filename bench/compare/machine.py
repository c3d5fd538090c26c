# machine.py - the facts of this machine that stand beside every figure
# SPDX-License-Identifier: MIT OR Apache-2.0
import functools
import glob
import hashlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEVELS = ("sse4_1", "avx2", "f16c", "fma", "avx512f", "avx512_vnni", "avx512_bf16",
          "avx512_vpopcntdq", "asimd", "asimddp", "sve")


def read(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return default


def first_line(*command):
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip().split("\n")[0] if done.returncode == 0 else None


def caches():
    found = []
    for folder in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(read(folder + "/type"), "")
        found.append(f"L{read(folder + '/level')}{kind} {read(folder + '/size')}")
    return ", ".join(found) or "unknown"


def processor():
    info = read("/proc/cpuinfo")
    about = dict((part.strip() for part in line.split(":", 1)) for line in info.split("\n")
                 if ":" in line)
    name = about.get("model name", platform.machine())
    if "cpu family" in about:
        name += f" (family {about['cpu family']}, model {about.get('model')})"
    words = set(info.split())
    levels = " ".join(level for level in LEVELS if level in words)
    guest = ", a virtual machine" if "hypervisor" in words else ""
    return f"{name}, {os.cpu_count()} cores{guest}; {levels}"


def commit():
    found = first_line("git", "rev-parse", "--short", "HEAD") or "no commit"
    changed = first_line("git", "status", "--porcelain", "--untracked-files=no")
    return found + (" and changes" if changed else "")


def package_version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def facts(nigh):
    """[(name, value)], none of which says where on this machine anything is. nigh: the program."""
    memory = next((line.split()[1] for line in read("/proc/meminfo").split("\n")
                   if line.startswith("MemTotal")), "0")
    pages = read("/sys/kernel/mm/transparent_hugepage/enabled")
    chosen = pages[pages.find("[") + 1:pages.find("]")] if "[" in pages else "unknown"
    compilers = [line for line in (first_line("gcc", "--version"), first_line("rustc", "--version"))
                 if line]
    return [("processor", processor()),
            ("caches", caches()),
            ("memory", f"{int(memory) / 1e6:.0f} GB, transparent huge pages: {chosen}"),
            ("system", f"{platform.system()} {platform.release()}; {'; '.join(compilers)}; "
                       f"Python {platform.python_version()}, numpy {package_version('numpy')}"),
            ("load before", " ".join(f"{load:.2f}" for load in os.getloadavg())),
            ("nigh", f"at {commit()}, SHA-256 of the program {digest(nigh)}...")]


@functools.lru_cache(maxsize=None)
def read_ns(program, row_bytes, rows):
    """What one random row costs at best, in nanoseconds (bench/bench_reads.c), or None."""
    if not os.path.exists(program):
        return None
    done = subprocess.run([program, str(row_bytes), str(rows)], capture_output=True, text=True)
    return float(done.stdout.split()[0]) if done.returncode == 0 else None
