# Everything that people and CI call. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
STACK ?= local
FOLDER ?= build/verdict
# A value is one word of the shell, whatever it holds.
quoted = '$(subst ','\'',$(1))'

# uv makes the virtual environment from uv.lock and runs the rest in it; where there is no uv, the user's cache gets one.
export UV_PYTHON_DOWNLOADS = never
# Where a machine forbids compiled modules to be kept (container images of Python do), each start of the program, of `ops` and
# of the policies compiles its imports anew: seconds instead of tenths. They lie in .venv and in __pycache__ only.
unexport PYTHONDONTWRITEBYTECODE
RUN = uv=$$(sh local/bootstrap.sh) && "$$uv" run --frozen --quiet
LOCAL = $(RUN) python -m local

.PHONY: help up down clean status logs env preview review verdict publish-verdict render rules test test-fast lint lint-sources lint-types \
	lint-manifests lint-workflows docs config-schema metric-names sbom audit image outdated format bench oracles

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

up: ## Toolchain, cluster, images and `pulumi up -s local`: the whole system, running
	@$(LOCAL) up

down: ## Stop the environment; its data stays
	@$(LOCAL) down

clean: ## Stop the environment and drop its data and state
	@$(LOCAL) clean

status: ## What of the environment runs
	@$(LOCAL) status

logs: ## Log of a daemon of the environment: make logs DAEMON=kubelet
	@$(LOCAL) logs $(if $(DAEMON),$(call quoted,$(DAEMON)))

env: ## Exports for a shell: eval "$$(make -s env)"
	@$(LOCAL) env

preview: ## What `pulumi up` would change, judged by the policies: make preview STACK=prod
	@$(LOCAL) preview --stack $(call quoted,$(STACK))

review: ## Previews of all stacks, judged by this checkout's policies, in build/review
	@$(LOCAL) review

verdict: ## In a workflow: judge what a pull request's own run left, by this checkout's policies, in build/verdict
	@$(LOCAL) verdict

publish-verdict: ## In a workflow: the verdict as the commit's status and the pull request's comment
	@$(LOCAL) publish-verdict $(call quoted,$(FOLDER))

render: ## A stack's Kubernetes objects as YAML in build/manifests, without a cluster: make render STACK=prod
	@$(LOCAL) render --stack $(call quoted,$(STACK))

rules: ## What Prometheus and Alertmanager get, as files in build/alerts: make rules STACK=prod
	@$(LOCAL) rules --stack $(call quoted,$(STACK))

test: ## Everything in tests/, with its own servers and its own cluster; a part of it: make test SUITE=services
	@$(LOCAL) test $(call quoted,$(SUITE))

test-fast: ## The tests that need no server
	@$(LOCAL) test --fast $(call quoted,$(SUITE))

oracles: ## What is a twin of something else, compared with the original over many more examples than `make test` has
	@$(RUN) python -m pytest -q tests/oracles tests/services/test_ops_redis_types.py --hypothesis-profile=oracles

lint: ## ruff and pyright, both strict; kubeconform and kube-score over the stacks; actionlint and zizmor over the workflows
	@$(RUN) true
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint-types lint-sources lint-manifests lint-workflows

lint-sources:
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

lint-types:
	@$(RUN) pyright

lint-manifests lint-workflows:
	@$(LOCAL) $@

docs: ## Write the generated pages of docs/ anew
	@$(LOCAL) docs

config-schema: ## Write docs/config.schema.json, by which editors check the stacks' files, anew
	@$(LOCAL) config-schema

metric-names: ## Record the metrics of the running environment, by which queries are checked
	@$(LOCAL) metric-names

sbom: ## What the project is made of, as CycloneDX in build/sbom: Python packages, Go modules
	@$(LOCAL) sbom

audit: ## Known vulnerabilities of the packages in uv.lock, by pip-audit; asks osv.dev
	@$(LOCAL) audit

image: ## The image of ops as a release builds it, by Docker: crypto/ops:local
	@docker build --quiet --file images/ops/Dockerfile --tag crypto/ops:local .

outdated: ## Dependencies that have a newer release
	@$(LOCAL) outdated

format: ## Format the sources
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

bench: ## Measurements of docs/benchmarks.md: make bench NAME=preview
	@$(RUN) python -m benchmarks.$(call quoted,$(NAME))
