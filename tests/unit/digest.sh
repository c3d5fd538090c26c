#!/bin/sh
# digest.sh - test_digest.c without an operating system: WebAssembly in node, Cortex-M in qemu
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage: tests/unit/digest.sh [folder]; what is not installed is skipped and said so
set -eu
cd "$(dirname "$0")/../.."
out=${1:-build/digest}
mkdir -p "$out"
sources="tests/unit/test_digest.c core/cpu.c core/kernel_scalar.c core/kernel_x86.c
    core/kernel_neon.c core/kernel_wasm.c core/kernel_pick.c core/cosine.c core/distance.c
    core/metric.c core/convert.c"
flags="-std=c11 -ffreestanding -O2 -Iabi -Icore"
passed=0
failed=0

report() { # name, exit status
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    echo "$1: $([ "$2" -eq 0 ] && echo ok || echo FAILED)"
}

wasm() { # name, flags
    clang-19 --target=wasm32 -mbulk-memory $flags $2 -nostdlib -Wl,--no-entry \
        -Wl,--export=digest_check $sources -o "$out/$1.wasm"
    status=0
    node -e "const fs = require('fs');
        const m = new WebAssembly.Module(fs.readFileSync('$out/$1.wasm'));
        const i = new WebAssembly.Instance(m, {});
        process.exit(i.exports.digest_check() === 0 ? 0 : 1);" || status=$?
    report "$1" $status
}

mcu() { # name, flags
    arm-none-eabi-gcc -mthumb $flags $2 -nostartfiles -Wl,-e,digest_start $sources -o "$out/$1.elf"
    status=0
    qemu-arm "$out/$1.elf" || status=$?
    report "$1" $status
}

if command -v clang-19 > /dev/null && command -v node > /dev/null; then
    wasm wasm ""
    wasm wasm-simd128 -msimd128
else
    echo "wasm: skipped, no clang-19 or node"
fi
if command -v arm-none-eabi-gcc > /dev/null && command -v qemu-arm > /dev/null; then
    mcu cortex-m0 "-mcpu=cortex-m0"
    mcu cortex-m3-small "-mcpu=cortex-m3 -Os"
    mcu cortex-m4 "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16"
    mcu cortex-m7 "-mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16 -ffp-contract=fast -O3"
else
    echo "microcontrollers: skipped, no arm-none-eabi-gcc or qemu-arm"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
