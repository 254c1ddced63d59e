# Everything runs inside .venv, which is made on first use from hashed lock files: of what studies need
# (.venv/.runs), and of what tests, checks and documents need beside it (.venv/.installed).
PYTHON ?= python3
BIN := .venv/bin
RUNS := .venv/.runs
STAMP := .venv/.installed

.PHONY: demo test check bench gpu chaos scale calibration schema docs lock ui clean

demo: $(RUNS)  ## set up, then run the activations study on bundled data
	$(BIN)/harness run studies/activations.yaml --profile quick

test: $(STAMP)  ## set up, then run the tests
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## lint, types, and the contracts between the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## measure speed against other ways to do the same; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks.run

gpu:  ## prove and measure the path on one GPU, by the Python that is there; writes docs/gpu.md
	$(PYTHON) -m benchmarks.gpu

chaos: $(STAMP)  ## 20 rounds of a study while workers, nodes, conductor and MLflow are killed
	$(BIN)/python tests/chaos/chaos_rounds.py --rounds 20

scale: $(STAMP)  ## 10,000 trials that do nothing, beside Ray Tune; writes docs/scale.md
	$(BIN)/python -m benchmarks.scale

calibration: $(STAMP)  ## simulate how often verdicts err; writes docs/calibration.md
	$(BIN)/python benchmarks/calibration.py

schema: $(RUNS)  ## write the JSON Schema that editors use for study files
	$(BIN)/harness schema > studies/study.schema.json

docs: $(STAMP)  ## build the site of the documentation in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --site-dir site

EXTRAS := setup vision hub adapters onnx postgresql tensorboard wandb
lock:  ## resolve the dependencies again
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra dev \
	  --upgrade pyproject.toml --output-file requirements-dev.lock
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(EXTRAS:%=--extra %) \
	  --upgrade --constraints requirements-dev.lock pyproject.toml --output-file requirements.lock

ui: $(RUNS)  ## browse the results in MLflow, on loopback
	$(BIN)/harness ui

$(RUNS): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked packages into .venv (several GB with PyTorch; once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[^ ]*' requirements.lock)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes \
	  -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q harness
	@touch $@

$(STAMP): $(RUNS) requirements-dev.lock
	@echo "Installing what tests and checks need into .venv (once)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes \
	  -r requirements-dev.lock
	@touch $@

clean:  ## remove the environment, local results and reports
	rm -rf .venv results/*.db* results/mlartifacts
	find reports -mindepth 1 -maxdepth 1 ! -name published -exec rm -rf {} +
