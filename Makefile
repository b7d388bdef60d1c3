.DEFAULT_GOAL := help
.PHONY: help install run test dynoxide test-store check audit test-cloud test-bundle soak soak-races mutants bench bench-heat
.PHONY: bench-faults package deploy register uninstall token clean

PYTHON ?= python3
PORT ?= 8000
STAGE ?= prod
ARCH ?= arm64
PY := .venv/bin/python
SOURCES := app.py chalicelib dev deploy heat_plugin tests
CLOUD_TESTS ?= tests/end_to_end tests/openstack tests/dev/test_simcloud_heat_likeness.py
DYNOXIDE := .state/dynoxide/node_modules/@dynoxide/linux-x64/dynoxide
DYNOXIDE_SHA256 := be909b7910d3fb552e85db10ef3c8ebae4bd35fee0f26dffdb6dfa5cc656426e
PEOPLE_ARE_NAMED := test -n "$(OWNER_CLOUD)" -a -n "$(OTHER_CLOUD)" -a -n "$(ADMIN_CLOUD)" || { echo "Name three more \
	entries of clouds.yaml: OWNER_CLOUD and OTHER_CLOUD, members of two projects, and ADMIN_CLOUD, who may set quotas"; exit 2; }
export PORT

help: ## say what can be made
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1	/' | expand -t 14

.venv/.complete: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name one with PYTHON=..."; exit 1; }
	@echo "installing into .venv (once)"
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

install: .venv/.complete ## install what everything here uses into .venv

run: .venv/.complete ## run everything on this machine; OS_CLOUD=... names a real cloud, DEMO=0 skips the demo
	@exec $(PY) -m dev.run

test: .venv/.complete ## run the tests
	@env -u OS_CLOUD $(PY) -m pytest -q -m "not cloud" -n 2

dynoxide: $(DYNOXIDE) ## fetch a second DynamoDB that the tests then run on, too (by npm; Linux on x86-64)

$(DYNOXIDE):
	@npm install --silent --no-save --prefix .state/dynoxide @dynoxide/linux-x64@1.2.1
	@echo "$(DYNOXIDE_SHA256)  $@" | sha256sum --check --quiet || { rm -f $@; exit 1; }

test-store: .venv/.complete ## hold the DynamoDB-compatible store at DYNAMODB_URL=... to what we need of it; leaves tables there
	@test -n "$(DYNAMODB_URL)" || { echo "Name the store: DYNAMODB_URL=http://..."; exit 2; }
	@DYNAMODB_URL="$(DYNAMODB_URL)" $(PY) -m pytest -q -s tests/tables tests/races -k given_store

check: .venv/.complete ## lint, formatting, types
	@$(PY) -m ruff check $(SOURCES)
	@$(PY) -m ruff format --check $(SOURCES)
	@$(PY) -m mypy

audit: ## ask PyPI's advisories about what is deployed; uses the network
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	@build/audit/bin/pip-audit --strict --progress-spinner off -r requirements.txt

test-cloud: .venv/.complete ## end-to-end tests on the real cloud that OS_CLOUD names, as OWNER_CLOUD, OTHER_CLOUD, ADMIN_CLOUD
	@test -n "$(OS_CLOUD)" || { echo "Name the service user's entry in clouds.yaml: OS_CLOUD=..."; exit 2; }
	@$(PEOPLE_ARE_NAMED)
	@$(PY) -m pytest -q $(CLOUD_TESTS)

test-bundle: .venv/.complete ## end-to-end tests on the packaged bundle, deployed to an AWS stand-in; OS_CLOUD=... as for test-cloud
	@test -z "$(OS_CLOUD)" || $(PEOPLE_ARE_NAMED)
	@E2E_ON=bundle $(PY) -m pytest -q tests/end_to_end

soak: .venv/.complete ## simulate with ever other choices for SOAK_SECONDS (600)
	@$(PY) -m tests.simulation.soak

soak-races: .venv/.complete ## race for SOAK_SECONDS (300) on each DynamoDB, while processes are killed; SEED=... races otherwise
	@SOAK_SECONDS=$(or $(SOAK_SECONDS),300) $(PY) -m pytest -q -s tests/races

mutants: .venv/.complete ## put faults into copies of the code, and see that the simulation catches each
	@$(PY) -m tests.simulation.mutants

bench: .venv/.complete ## measure on this machine; PARTS="alarms cold" measures these alone
	@$(PY) -m dev.bench $(PARTS)

bench-heat: .venv/.complete ## time +1, +10, +50 on the real cloud that OS_CLOUD names, beside Heat's own group
	@test -n "$(OS_CLOUD)" -a -n "$(OWNER_CLOUD)" || { echo "Name entries of clouds.yaml: OS_CLOUD, OWNER_CLOUD"; exit 2; }
	@$(PY) -m dev.bench_heat

bench-faults: .venv/.complete ## put faults to a group of ours and to Heat's own on that cloud; FAULTS=... chooses some
	@test -n "$(OS_CLOUD)" -a -n "$(OWNER_CLOUD)" -a -n "$(ADMIN_CLOUD)" \
		|| { echo "Name entries of clouds.yaml: OS_CLOUD, OWNER_CLOUD, ADMIN_CLOUD"; exit 2; }
	@$(PY) -m dev.faults_beside_heat $(if $(FAULTS),--only "$(FAULTS)")

package: .venv/.complete ## make the bundle and its template in build/; ARCH=x86_64, CACERT=... if need be
	@$(PY) -m deploy.package --stage $(STAGE) --architecture $(ARCH) $(if $(CACERT),--cacert "$(CACERT)") build

deploy: package ## deploy the bundle to the AWS account of the environment
	@$(PY) -m deploy.deploy --stage $(STAGE) build

register: .venv/.complete ## put URL=... into Keystone's catalogue, as the administrator OS_CLOUD=...; REMOVE=1 takes it out
	@$(PY) -m deploy.register $(if $(REMOVE),--remove,--url "$(URL)")

uninstall: .venv/.complete ## take a stage away but for its data; DELETE_DATA=<stage> takes that, too
	@$(PY) -m deploy.uninstall --stage $(STAGE) --delete-data "$(DELETE_DATA)"

token: .venv/.complete ## print a Keystone token of the demo's owner (simulated cloud)
	@$(PY) -m dev.print_token

clean: ## forget all local state and everything that was built
	@rm -rf .state build
