#!/bin/sh
# fast_math.sh - float flags that change results are refused; no flag makes a fused multiply-add
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage: tests/unit/fast_math.sh [folder]; compilers that are not installed are skipped
set -eu
cd "$(dirname "$0")/../.."
out=${1:-build/fast_math}
mkdir -p "$out"
flags="-std=c11 -ffreestanding -fno-math-errno -Iabi -Icore"
floats="core/kernel_scalar.c core/kernel_x86.c core/kernel_neon.c core/cosine.c core/distance.c
    core/metric.c core/convert.c"
passed=0
failed=0

verdict() { # 0 or not, what
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $2"
    fi
}

refused() { # compiler, flag...: the flag must stop the compilation, by #error
    compiler=$1
    shift
    status=0
    "$compiler" $flags "$@" -c core/cosine.c -o "$out/refused.o" 2> "$out/refused.txt" || status=$?
    if [ "$status" -ne 0 ] && grep -q 'error.*nigh ' "$out/refused.txt"; then
        verdict 0 ""
    else
        verdict 1 "$compiler $* is not refused"
    fi
}

accepted() { # compiler, flag...
    compiler=$1
    shift
    status=0
    "$compiler" $flags "$@" -c core/cosine.c -o "$out/accepted.o" || status=$?
    verdict $status "$compiler $* is refused"
}

count_fused() { # objdump, object file
    "$1" -d "$2" |
        grep -cE '[[:space:]](v?fn?m(add|sub|la|ls)[a-z0-9.]*|vfn?m[as][.f0-9]*)[[:space:]]' || true
}

control() { # objdump, compiler, flag...: the search above does find what it looks for
    dump=$1
    compiler=$2
    shift 2
    echo 'float f(float a, float b, float c) { return a * b + c; }' > "$out/control.c"
    "$compiler" -O2 -ffp-contract=fast "$@" -c "$out/control.c" -o "$out/control.o"
    found=$(count_fused "$dump" "$out/control.o")
    status=0
    [ "$found" -gt 0 ] || status=1
    verdict $status "$compiler $*: a fused instruction was not found"
}

fused() { # objdump, compiler, flag...: not one fused instruction, whatever the flags
    dump=$1
    compiler=$2
    shift 2
    for level in -O2 -O3; do
        for file in $floats; do
            "$compiler" $flags $level "$@" -c "$file" -o "$out/fused.o"
            found=$(count_fused "$dump" "$out/fused.o")
            verdict "$found" "$compiler $level $*: $found fused instructions in $file"
        done
    done
}

same() { # compiler, flag...: flags that no macro tells of change nothing
    compiler=$1
    shift
    status=0
    "$compiler" $flags "$@" tests/unit/test_digest.c core/cpu.c \
        core/kernel_pick.c $floats core/kernel_wasm.c -o "$out/digest"
    "$out/digest" > "$out/digest.txt" || status=$?
    verdict $status "$compiler $* gives another digest"
}

have() {
    command -v "$1" > /dev/null || { echo "skipped: no $1"; false; }
}

for compiler in gcc clang-19; do
    if have $compiler; then
        accepted $compiler -O2
        accepted $compiler -O3 -march=native
        refused $compiler -ffast-math
        refused $compiler -Ofast
        refused $compiler -ffinite-math-only
    fi
done
if have gcc; then
    refused gcc -O2 -funsafe-math-optimizations
    refused gcc -O2 -freciprocal-math
    refused gcc -O2 -fno-signed-zeros
    same gcc -O3 -march=native -ffp-contract=fast
    refused gcc -mfpmath=387
    control objdump gcc -march=haswell
    fused objdump gcc -march=native -ffp-contract=fast
    fused objdump gcc -march=haswell -ffp-contract=fast
fi
if have clang-19; then
    same clang-19 -O3 -march=native -funsafe-math-optimizations
    same clang-19 -O2 -fassociative-math -freciprocal-math -fno-signed-zeros -fapprox-func
    fused objdump clang-19 -march=native -ffp-contract=fast
    fused objdump clang-19 -march=haswell -ffp-contract=fast
    fused objdump clang-19 -ffp-contract=fast
fi
if have aarch64-linux-gnu-gcc; then
    control aarch64-linux-gnu-objdump aarch64-linux-gnu-gcc
    fused aarch64-linux-gnu-objdump aarch64-linux-gnu-gcc -ffp-contract=fast
    have clang-19 &&
        fused aarch64-linux-gnu-objdump clang-19 --target=aarch64-linux-gnu -ffp-contract=fast
fi
if have arm-none-eabi-gcc; then
    control arm-none-eabi-objdump arm-none-eabi-gcc -mthumb -mcpu=cortex-m4 -mfloat-abi=hard \
        -mfpu=fpv4-sp-d16
    fused arm-none-eabi-objdump arm-none-eabi-gcc -mthumb -mcpu=cortex-m4 -mfloat-abi=hard \
        -mfpu=fpv4-sp-d16 -ffp-contract=fast
    have clang-19 &&
        fused arm-none-eabi-objdump clang-19 --target=arm-none-eabi -mcpu=cortex-m4 \
            -mfloat-abi=hard -ffp-contract=fast
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
