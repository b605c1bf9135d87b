# The ways into the project. `make help` lists them. Every target may be repeated; the set-up runs once.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

JOBS ?= $(shell nproc)
TESTS ?=
SECONDS_EACH ?= 60
PEERS ?=
DATA ?=
binary := build/release/tenure
build = cmake --build build/$(1) -j $(JOBS) $(if $(2),--target $(2))
configure_flags = $(if $(TENURE_ONEDNN_ROOT),-DTENURE_ONEDNN_ROOT="$(abspath $(TENURE_ONEDNN_ROOT))")
# $(call test,PRESET): build it, run every test, end in one line of totals; the exit code is ctest's.
test = @rm -rf build/$(1)/test-results; mkdir -p build/$(1)/test-results; rc=0; \
  GTEST_OUTPUT=xml:$(CURDIR)/build/$(1)/test-results/ ctest --preset $(1) -j $(JOBS) $(if $(TESTS),-R '$(TESTS)') \
    --output-junit $(CURDIR)/build/$(1)/test-results/checks.xml || rc=$$?; \
  python3 tools/test_summary.py build/$(1)/test-results || rc=1; exit $$rc

.PHONY: all demo test bench asan tsan clang no-onednn coverage fuzz lint format docs docs-write golden-check conformance soak setup install consumer clean distclean help

all: build/release/.configured ## Build everything (Release); the command stands at build/release/tenure
	$(call build,release)

demo: build/release/.configured $(if $(filter-out 0,$(PEERS)),build/.setup-python) ## Set up, build, run the demonstration. DATA=<folder with MNIST idx .gz files>  PEERS=1 measures TensorFlow live
	$(call build,release,tenure_cli)
	$(binary) demo $(if $(DATA),--data '$(DATA)') $(if $(filter-out 0,$(PEERS)),--peers)

test: build/release/.readers build/.setup-python ## Set up, build, run every test. TESTS=<regex> runs some
	$(call build,release)
	$(call test,release)

conformance: build/release/.configured build/.setup-python ## The conformance suite, op by check; then 200 random models and all 40 networks of keras.applications
	$(call build,release,system_test tenure_cli applications_program)
	build/release/system_test --gtest_filter='*Conformance*' --gtest_brief=1
	python3 tests/reference/random_models.py build/release --count 200 || [ $$? = 77 ]
	python3 tests/applications_check.py build/release --all || [ $$? = 77 ]

asan: build/asan/.configured ## Every test under AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer
	$(call build,asan)
	$(call test,asan)

tsan: build/tsan/.configured ## Every test under ThreadSanitizer
	$(call build,tsan)
	$(call test,tsan)

clang: build/.setup-tools build/clang/.configured ## Every test, built by clang
	$(call build,clang)
	$(call test,clang)

no-onednn: build/no-onednn/.configured ## Every test with Eigen and direct loops in place of oneDNN
	$(call build,no-onednn)
	$(call test,no-onednn)

coverage: build/coverage/.configured ## Every test with gcov counters; per-file line coverage lands in build/coverage/coverage.txt
	$(call build,coverage)
	$(call test,coverage)
	python3 tools/coverage.py build/coverage > build/coverage/coverage.txt
	tail -n 1 build/coverage/coverage.txt

bench: build/release/.configured ## Benchmarks beside the peers (PEERS=0: Tenure alone)
	$(if $(filter 0,$(PEERS)),,tools/setup bench)
	$(call build,release,benchmarks)
	bench/run --build build/release $(if $(filter 0,$(PEERS)),--no-peers)

fuzz: build/.setup-tools build/fuzz/.configured ## Each fuzzer for SECONDS_EACH=60 seconds; a finding ends it and stays in build/fuzz
	cmake -S . -B build/fuzz -DFUZZ_SECONDS=$(SECONDS_EACH) >/dev/null
	$(call build,fuzz,fuzz)

soak: build/release/.configured ## Mixed work for an hour with exact counts and a verdict on RSS. MINUTES=60
	$(call build,release,soak_test)
	TENURE_SOAK_MINUTES=$${MINUTES:-60} build/release/soak_test

lint: build/.setup-tools build/clang/.configured ## Format, layer rules, clang-tidy on changed files (LINT=all: on all, BASE=<commit>: since then)
	python3 tools/check_layers.py
	tools/lint $(if $(filter all,$(LINT)),--all,--base '$(or $(BASE),HEAD)') build/clang

format: build/.setup-tools ## clang-format every source file in place
	find include src cli tests bench examples -name '*.cc' -o -name '*.h' | xargs clang-format -i

docs: all ## Check that generated pages and quoted examples are current and that links lead somewhere (docs-write renews them)
	python3 tools/docs.py --check

docs-write: all
	python3 tools/docs.py --write

golden-check: build/.setup-python ## Make ten golden cases anew with the real Keras and compare them with the files
	@[ -x build/venv/bin/python ] || { echo 'golden-check: SKIPPED: TensorFlow and Keras could not be had from PyPI'; exit 0; }; \
	  build/venv/bin/python tests/reference/golden_check.py $(GOLDEN)

install: all ## Install into PREFIX=build/install
	cmake --install build/release --prefix '$(or $(PREFIX),build/install)'

consumer: all ## A project of its own finds, builds against and runs an installed, moved Tenure
	tests/consumer/check build/release

setup: build/.setup-core

build/.setup-%: tools/setup
	@mkdir -p build
	@tools/setup $*
	@touch $@

# Without PyPI there is no environment and no stamp: the next run tries again.
build/.setup-python: tools/setup
	@mkdir -p build
	@tools/setup python
	@if [ -x build/venv/bin/python ]; then touch $@; fi

# What cannot be had now is tried again by the next run.
build/.setup-readers: tools/setup
	@mkdir -p build
	@tools/setup readers && touch $@ || [ $$? = 77 ]

# A build that was configured without node or npm looks for them again once they may be there.
build/%/.readers: build/%/.configured build/.setup-readers
	@if grep -q '^TENURE_N.*-NOTFOUND$$' build/$*/CMakeCache.txt; then cmake --preset $* $(configure_flags); fi
	@touch $@

build/%/.configured: build/.setup-core CMakePresets.json
	cmake --preset $* $(configure_flags)
	@touch $@

build/clang/.configured build/fuzz/.configured: build/.setup-tools

clean: ## Remove every build; oneDNN and the Python environments stay
	rm -rf $(addprefix build/,dev release asan tsan coverage clang no-onednn fuzz install consumer)

distclean: ## Remove everything that make made
	rm -rf build

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
