# nigh: thin front of CMake and the scripts in tools/. `make` leaves the command at build/nigh.
# SPDX-License-Identifier: MIT OR Apache-2.0
.POSIX:
BUILD = build
JOBS = 2

all: configure
	@env -u MAKELEVEL -u MAKEFLAGS -u MFLAGS cmake --build $(BUILD) --target nigh_cli -j $(JOBS)

configure:
	@cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@mv $(BUILD).log $(BUILD)/configure.log

# Real word vectors indexed, saved, mapped and searched (the first run downloads 110 MB).
demo:
	@tools/setup.sh demo
	@$(MAKE) --no-print-directory all
	@tools/demo.sh

# examples/browser as static files in build/page/site (the first run downloads 200 MB).
page:
	@tools/setup.sh page
	@$(MAKE) --no-print-directory all
	@python3 tools/page.py

# Everything CI runs; ends with "N passed, N failed".
test:
	@tools/setup.sh test
	@python3 tools/test.py

# nigh and its peers on the same data in the same run: tables and plots into bench/results. Hours.
# One set, or fewer rows and minutes: .cache/venv/bin/python bench/compare/compare.py --help
bench:
	@tools/setup.sh bench
	@$(MAKE) --no-print-directory all
	@env -u MAKELEVEL -u MAKEFLAGS -u MFLAGS cmake --build $(BUILD) --target bench_reads >$(BUILD)/bench.log 2>&1 || { cat $(BUILD)/bench.log; exit 1; }
	@.cache/venv/bin/python bench/compare/compare.py --set glove
	@.cache/venv/bin/python bench/compare/compare.py --set sentences

# The npm package and its peers, in Node and in Chromium: a table into bench/results. With fewer sets,
# contenders or hosts: node bench/js/bench.mjs (usage there).
bench-js:
	@tools/setup.sh bench-js
	@node bench/js/bench.mjs

# The checks that need the full word vectors: bytes across kernels and compilers, recall, speed.
verify:
	@tools/setup.sh bench
	@tools/setup.sh test
	@$(MAKE) --no-print-directory all
	@python3 tools/verify.py

# Flash and stack per processor and feature set (tools/size.py --targets: text of each file).
size:
	@tools/setup.sh test
	@python3 tools/size.py

tidy:
	@python3 tools/tidy.py

amalgam:
	@python3 tools/amalgamate.py $(BUILD)/amalgam

# After a change of the header or the core: what is generated from them and committed.
generate:
	@python3 abi/generate.py
	@python3 tools/amalgamate.py --vendored
	@python3 wasm/build.py --vendored

clean:
	rm -rf $(BUILD)

.PHONY: all configure demo page test bench bench-js verify size tidy amalgam generate clean
