# SPDX-License-Identifier: Apache-2.0
# The front of the build: `make demo` and `make test` do the rest by themselves. CMake builds.

.PHONY: help build demo test unit asan clang fuzz size bench soak peers format clean

help:
	@echo "make demo    build, then play the whole story on this machine (start here)"
	@echo "make test    gcc and clang builds, all tests, again under ASan + UBSan"
	@echo "make build   build/gcc/bin/{cradle,cradle-cloud}"
	@echo "make size    code, RAM and stack of the device's brain on a RISC-V chip"
	@echo "make fuzz    every parser of foreign bytes, FUZZ_SECONDS each (default 60)"
	@echo "make bench   the numbers of docs/benchmarks.md, beside Mosquitto and this machine's limits"
	@echo "make soak    the long loops: kill -9, full disks, 10,000 units (KILLS=, UNITS=, SEED=)"
	@echo "make peers   run against Espressif's own tools: IDF_PATH=... (docs/compatibility.md)"

build:
	@scripts/setup build
	@scripts/build gcc

demo: build
	@build/gcc/bin/cradle demo $(DEMO)

test:
	@scripts/setup test
	@scripts/build clang tests
	@scripts/build gcc tests
	@ctest --preset gcc
	@scripts/build asan tests
	@ctest --preset asan

asan:
	@scripts/setup test
	@scripts/build asan tests
	@ctest --preset asan

fuzz:
	@scripts/setup fuzz
	@scripts/build fuzz
	@scripts/fuzz $(FUZZ_SECONDS)

bench:
	@scripts/setup bench
	@scripts/build gcc
	@scripts/bench $(BENCH)

soak:
	@scripts/setup test
	@scripts/build gcc tests
	@scripts/soak

size:
	@scripts/setup size
	@scripts/size.sh

peers: build
	@scripts/setup peers
	@scripts/peers

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf build
