# Mingbai: every target installs what it needs first. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINGBAI := $(BIN)/mingbai
INSTALLED := $(VENV)/.installed
# The folder of notes: notes/ when there, else the samples that come with the project.
NOTES ?= $(if $(wildcard notes),notes,data/sample_notes)
INDEX ?= .mingbai/index
MODE ?= rcg
Q ?= RCG和RAG有什么区别？
# The generator that bench-ui holds the pages against.
UI_MODEL ?= qwen2.5-coder-1.5b-instruct-q4_k_m
EXTRAS ?= cpu,chroma,serve,dev

export Q
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help install models test-models ingest ask chat test test-browser bench-ui check format eval eval-quick bench clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  NOTES=folder   the notes to ingest (now: %s)\n  INDEX=folder   where the index is kept (now: %s)\n' '$(NOTES)' '$(INDEX)'
	@printf '  Q="…" MODE=rcg|rag|rog   the question of make ask\n'

install: $(INSTALLED) ## make .venv and install Mingbai with its pinned dependencies

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mingbai needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Use: make PYTHON=python3.11 …")'
	@command -v cmake >/dev/null || { echo 'cmake is missing: llama.cpp is compiled here. Install cmake and a C++ compiler (Debian: apt-get install cmake g++).'; exit 1; }
	@command -v c++ >/dev/null || { echo 'A C++ compiler is missing (Debian: apt-get install g++).'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo '[1/2] torch (a wheel of about 200 MB without a GPU)'
	$(BIN)/pip install -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	@echo '[2/2] everything else; llama.cpp is compiled for this machine: about 5 minutes the first time, cached afterwards'
	$(BIN)/pip install -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

models: $(INSTALLED) ## download the default models (about 2.3 GB, once per user)
	@$(MINGBAI) models pull --yes --defaults

test-models: models
	@$(MINGBAI) models pull --yes qwen2.5-coder-0.5b-instruct-q4_k_m

ingest: models ## rebuild the index of NOTES; unchanged files cost nothing
	@$(MINGBAI) ingest '$(NOTES)' --index '$(INDEX)'

ask: ingest ## answer Q in the terminal, with citations
	@$(MINGBAI) ask "$$Q" --mode '$(MODE)' --index '$(INDEX)'

chat: ingest ## open the chat page on http://localhost:8501
	@$(MINGBAI) chat --index '$(INDEX)'

test: test-models ## run all tests but those in a browser, two files at a time
	@$(BIN)/python -m pytest --ignore=tests/browser --numprocesses=2 --dist=loadfile

test-browser: test-models ## install Chromium and Playwright where they are missing, then test the pages in it
	@command -v chromium >/dev/null || { echo 'Chromium is missing; installing it.'; apt-get update -qq && apt-get install -y --no-install-recommends chromium fonts-wqy-microhei || { echo 'Install Chromium by hand (Debian: apt-get install chromium).'; exit 1; }; }
	@$(BIN)/python -c 'import axe_playwright_python, playwright' 2>/dev/null || $(BIN)/pip install -c constraints.txt -e '.[browser]'
	@$(BIN)/python -m pytest tests/browser

bench-ui: models ## measure the pages in a browser (test-browser installs what they need)
	@PYTHONPATH=tests:. $(BIN)/python tests/browser/measure.py --model '$(UI_MODEL)' --write docs/page-speed.md

check: $(INSTALLED) ## lint, formatting, types, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(INSTALLED) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

eval: models ## score everything on the sample questions (about an hour)
	@$(BIN)/python -m evals full --readme README.md

eval-quick: models ## score retrieval and about 20 answers (five minutes)
	@$(BIN)/python -m evals quick

bench: models ## measure speed on this machine
	@$(BIN)/python -m evals bench --notes '$(NOTES)' --readme README.md
	@echo 'The pages are measured in a browser, with the same model: make bench-ui (into docs/page-speed.md)'

clean: ## remove the environment, the index and caches (models and notes stay)
	rm -rf $(VENV) .mingbai .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
