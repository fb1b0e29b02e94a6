# Everything lives in .venv, which is made when it is missing. The same without make: python -m ilk demo, pytest.
PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.installed
export OMP_NUM_THREADS ?= 2
SEEDS ?= 1

.PHONY: demo test test-all lint docs bench load figure figures stub clean

$(STAMP): pyproject.toml constraints.txt tests/plugin/pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install -q -c constraints.txt torch
	$(PY) -m pip install -q -c constraints.txt -e ".[dev]"
	$(PY) -m pip install -q --no-deps ./tests/plugin
	touch $@

demo: $(STAMP)
	$(PY) -m ilk demo --out demo

test: $(STAMP)
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 2 --dist loadfile -m "not slow and not net and not gpu"

test-all: $(STAMP)
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 2 --dist loadfile -m "not net and not gpu"

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m bandit -q -r src -c pyproject.toml

# The site in English and Chinese, site/en and site/zh. Warnings are errors; nothing comes from the network.
docs: $(STAMP)
	OMP_NUM_THREADS=1 $(PY) scripts/make_articles.py --check
	OMP_NUM_THREADS=1 $(PY) scripts/make_site.py

bench: $(STAMP)
	@$(PY) -m benchmarks.run bench $(NAME)

load: $(STAMP)
	@$(PY) -m benchmarks.run load $(NAME)

figure: $(STAMP)
	@$(PY) -m benchmarks.run figure $(NAME) --seeds $(SEEDS)

# All of them, one after the other: hours. The page alone is a part of `make stub`.
figures: $(STAMP)
	for file in benchmarks/figures/[a-z]*.py; do $(PY) -m benchmarks.run figure $$(basename $$file .py) --seeds $(SEEDS) || exit 1; done
	$(PY) scripts/make_figures.py

stub: $(STAMP)
	$(PY) scripts/make_stub.py
	$(PY) scripts/make_help.py
	$(PY) scripts/make_map.py
	$(PY) scripts/make_figures.py
	$(PY) scripts/make_articles.py

clean:
	rm -rf .venv demo site
