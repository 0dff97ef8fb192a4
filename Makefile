# quickstart, test and lint each make the virtual environment that they need; PYTHON chooses its Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The experiment of the quick start, on pictures that it draws for itself.
QUICK := --cfg experiments/mini/quickstart.yaml DATASET.ROOT output/quickstart/data/mpii

# Damaged inputs of each kind that `make fuzz` tries; another SEED makes others.
CASES ?= 2000
SEED ?= 1

.PHONY: quickstart test fuzz lint clean

quickstart: $(VENV)/train
	$(BIN)/python data/make_mini.py mpii --out output/quickstart/data --train 400 --valid 100 --size 160x160
	$(BIN)/paddlepose train $(QUICK)
	$(BIN)/paddlepose valid $(QUICK) --flip-test
	$(BIN)/paddlepose export $(QUICK) --out output/quickstart/posenet.onnx
	$(BIN)/paddlepose deploy --model output/quickstart/posenet.onnx --img images/test.jpg --bbox 0,0,232,308 --out output/quickstart/poses
	$(BIN)/paddlepose deploy --img images/table.jpg --out output/quickstart/poses
	@echo
	@echo "A photograph with skeletons:  output/quickstart/poses/table_result.jpg, by the package's own models"
	@echo "Your model on a drawing:      output/quickstart/poses/test_result.jpg"
	@echo "The model, for any machine:   output/quickstart/posenet.onnx"
	@echo "Weights, logs, this table:    output/mpii/pose_resnet_18/quickstart"
	@echo "Next: your own photo,    $(BIN)/paddlepose deploy --img PHOTO"
	@echo "      your own data set, see README.md; the model trained here has only ever seen drawn people"

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

fuzz: $(VENV)/dev
	OPENCV_LOG_LEVEL=SILENT FUZZ_CASES=$(CASES) FUZZ_SEED=$(SEED) $(BIN)/python -m pytest -n 2 tests/fuzz --durations=0 -rP

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV)

# One environment for each set of requirements; a marker says which it has.
$(VENV)/train $(VENV)/dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e ".[$(@F)]"
	touch $@
