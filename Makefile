# make demo    two nodes, one VIP, on this machine: kill one and watch        (ARGS="--html page.html", "--json", "--keep")
# make test    everything that this machine can run; ends with what was left out and how to get it
# make test-long  the pair of routers through 10^8 simulated events, on every core (EVENTS=...); tells how far it is
# make check   the fast part: style, types, unit tests

.SILENT:
.PHONY: demo test test-long check lint benchmark clean
VENV := .venv
PYTEST := $(VENV)/bin/python -m pytest

demo: $(VENV)/runtime.stamp
	$(VENV)/bin/hapair demo $(ARGS)

test: $(VENV)/dev.stamp
	sh tests/peers.sh
	$(MAKE) lint
	$(PYTEST) $(ARGS)

test-long: $(VENV)/dev.stamp
	HAPAIR_SIMULATED_EVENTS=$(or $(EVENTS),100000000) $(PYTEST) -s tests/property/test_vrrp_simulation.py $(ARGS)

check: $(VENV)/dev.stamp lint
	$(PYTEST) tests/unit $(ARGS)

lint: $(VENV)/dev.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

benchmark: $(VENV)/dev.stamp
	for one in http http_peers http2 latency tcp udp tls pool memory streaming reload admin failover kernel kernel_failover; do $(VENV)/bin/python -m benchmarks.$$one $(ARGS) || exit 1; done

$(VENV)/runtime.stamp: requirements.lock deploy/bootstrap.sh
	sh deploy/bootstrap.sh $(VENV) requirements.lock
	touch $@

$(VENV)/dev.stamp: requirements-dev.lock deploy/bootstrap.sh
	sh deploy/bootstrap.sh $(VENV) requirements-dev.lock
	touch $@ $(VENV)/runtime.stamp

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
