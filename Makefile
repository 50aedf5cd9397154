# `make` alone lists what there is. The first target to need it makes .venv by itself.

PYTHON ?= python3
JOBS ?= 2
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

.DEFAULT_GOAL := help
.PHONY: help environment book test test-full test-fast mutants check run sync chapter address newest lab \
	slides pdf student nbgrader colab clean

help:
	@echo "make book       build the site in _build/site (sets everything up, once)       建站"
	@echo "make test       every test; the notebooks in a quick run                       全部测试"
	@echo "make test-full  every test; the notebooks at their full budget                 完整测试"
	@echo "make test-fast  the tests of the package and of the scripts                    快速测试"
	@echo "make mutants    break the package on purpose, see that a test falls            检验测试"
	@echo "make check      lint code, Chinese and English; check the notebooks' rules     检查规范"
	@echo "make run        execute what is stale again, in place (NAMES=mmoe, ALL=1)      重新执行"
	@echo "make lab        open the notebooks in JupyterLab                               打开编辑"
	@echo
	@echo "make slides     a deck of slides per chapter (NAME=multitask/mmoe EDITION=zh)  幻灯片"
	@echo "make pdf        print the book, or a page of it (NAME=multitask/mmoe)          打印成 PDF"
	@echo "make student    the notebooks without their solutions (EDITION=zh)             学生版"
	@echo "make nbgrader   the exercises as assignments for nbgrader                      批改用的作业"
	@echo
	@echo "make chapter    lay out a new chapter (NAME=sequence/bst)                      新的一章"
	@echo "make sync       write the package's source text into the notebooks             同步源码"
	@echo "make colab      run the notebooks with the versions that Colab ships           按 Colab 的版本运行"
	@echo "make address    write down where the book is published (URL=https://...)       写入地址"
	@echo "make clean      remove what was built, keep .venv                              清理"
	@echo
	@echo "A certain Python: make PYTHON=python3.12 book"

environment:
	@$(PYTHON) -m tools.workshop.environment

book: environment
	@$(BIN)/python -m tools.website.editions $(if $(URL),--url "$(URL)")

slides: environment
	@$(BIN)/python -m tools.course.slides $(NAME) $(if $(EDITION),--edition $(EDITION))

pdf: book
	@$(BIN)/python -m tools.course.pdf $(if $(NAME),--name "$(NAME)") \
		$(if $(EDITION),--edition $(EDITION)) $(if $(SOLUTIONS),--solutions)

# The notebooks in a quick run; that their results are of this code, the tests of the
# fingerprints say.
test: export RECSYS_TUTORIAL_QUICK = 1
test-full: export RECSYS_TUTORIAL_QUICK = 0
# make test-fast DEVICE=cuda: the models compute there
test test-full test-fast: export RECSYS_TUTORIAL_DEVICE = $(DEVICE)
test test-full: check book
	@$(BIN)/python -m pytest notebooks --nbval-lax --nbval-current-env \
		-n $(JOBS) --dist loadscope
	@RECSYS_TUTORIAL_QUICK=0 $(BIN)/python -m pytest tests -n $(JOBS) --dist loadscope

test-fast: environment
	@$(BIN)/python -m pytest tests -n $(JOBS) --dist loadscope \
		--ignore tests/tools/website/test_site.py --ignore tests/browser

mutants: environment
	@$(BIN)/python tests/mutants/run.py --jobs $(JOBS) $(NAMES)

# All of them, whichever fails: what is missing is one list.
check: environment
	@failed=0; \
	for part in workshop.code_rules website.contents workshop.notebook_rules \
		workshop.lint "workshop.sync --check" "website.address --check"; do \
		$(BIN)/python -m tools.$$part || failed=1; \
	done; exit $$failed

run: environment
	@$(BIN)/python -m tools.workshop.execute $(NAMES) $(if $(ALL),--all) --jobs $(JOBS)

sync: environment
	@$(BIN)/python -m tools.workshop.sync

chapter: environment
	@$(BIN)/python -m tools.workshop.new_chapter "$(NAME)"

student nbgrader: environment
	@$(BIN)/python -m tools.course.student $@ $(if $(EDITION),--edition $(EDITION))

colab: environment
	@$(BIN)/python tests/colab/run.py $(NAMES)

address: environment
	@$(BIN)/python -m tools.website.address "$(URL)"

# The direct requirements (those above the last heading), without their pins. Jupyter
# Book stays below 2, which is another program.
newest: environment
	@sed '/^# What these need/,$$d; s/==[^ ;]*//; s/^jupyter-book$$/jupyter-book<2/' \
		requirements.txt | $(BIN)/python -m pip install --upgrade --requirement /dev/stdin

# Not $(BIN)/jupyter: a script remembers where the folder lay when it was installed.
lab: environment
	@$(BIN)/python -m jupyterlab notebooks

clean:
	@rm -rf _build build .pytest_cache .ruff_cache .hypothesis
	@find . -name .venv -prune -o -type d \( -name __pycache__ -o -name "*.egg-info" \
		-o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
