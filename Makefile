# Two commands for everyone: `make run` and `make test`. Both install what the system lacks.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PORT ?= 3000
PLAYERS ?= 8
BANGS ?= 60
NETWORK ?= loopback wifi
RIG ?= stock fine
PEERS ?= page soundworks snapcast
INPUTS ?= 1000000

# Where cargo builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Debian and Ubuntu packages, by what needs them.
BUILD_PACKAGES := build-essential pkg-config libasound2-dev
WINDOW_PACKAGES := libgl1 libegl1 libx11-xcb1 libxkbcommon-x11-0 libxcursor1 libxi6 libxrandr2
LAB_PACKAGES := pulseaudio pulseaudio-utils pipewire pipewire-pulse wireplumber \
	dbus-daemon rtkit chromium chromium-driver xvfb xdotool imagemagick libgl1-mesa-dri nodejs npm python3 iproute2
# Other systems, to be measured beside this one.
PEER_PACKAGES := snapserver snapclient

.PHONY: help
help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' Makefile | expand -t 16

.PHONY: run
run: .system-run ## Build, start the relay, and open a player on it (PORT=3000)
	@cargo build --profile quick --locked --package downbeat-relay --package downbeat
	relay=; player=
	# Whatever ends this, ctrl-C included, ends both, and waits for their goodbyes.
	finish() { trap - EXIT INT TERM; kill $$player $$relay 2>/dev/null || true; wait; }
	trap finish EXIT; trap 'exit 0' INT TERM
	said=$$(mktemp)
	built="$(TARGET)/quick"
	"$$built/downbeat-relay" --listen 0.0.0.0:$(PORT) >"$$said" & relay=$$!
	until grep -q '^Server started' "$$said"; do
		kill -0 $$relay 2>/dev/null || { wait $$relay; exit $$?; }
		sleep 0.05
	done
	cat "$$said"; rm "$$said"
	echo "Open that address in a browser for the page. Ctrl-C ends it all."
	if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] || [ "$$(uname)" = Darwin ]; then
		"$$built/downbeat" 127.0.0.1:$(PORT) & player=$$!
	else
		echo "There is no display: a headless player plays here."
		"$$built/downbeat" play 127.0.0.1:$(PORT) & player=$$!
	fi
	wait $$player || true

.PHONY: test
test: .system-test ## Run every test there is
	cargo fmt --all --check
	cargo build --workspace --all-targets --locked
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	npm ci --silent --no-audit --no-fund --prefix tests/tutorial-server
	node --test relay/page/tests/
	cargo test --workspace --locked

.PHONY: bench
bench: bench-sync bench-relay bench-join ## Measure it all

.PHONY: bench-sync
bench-sync: .system-bench ## Measure how far apart machines sound (PLAYERS=8 BANGS=60 RIG="stock fine" NETWORK="loopback wifi")
	cargo build --release --locked --package downbeat-relay --package downbeat --package downbeat-tests --bins
	npm ci --silent --no-audit --no-fund --prefix tests/soundworks || echo "Without soundworks."
	PLAYERS="$(PLAYERS)" BANGS="$(BANGS)" NETWORK="$(NETWORK)" RIG="$(RIG)" PEERS="$(PEERS)" \
		"$(TARGET)/release/bench-sync"

.PHONY: fuzz
fuzz: ## Throw a million inputs at each decoder, and at the handshake (needs cargo-fuzz)
	# libFuzzer's instrumentation is behind a flag that a stable compiler asks this for.
	export RUSTC_BOOTSTRAP=1
	for target in from_client from_relay; do
		(cd relay/protocol/fuzz; cargo fuzz run $$target -- -runs=$(INPUTS))
	done
	for target in handshake frames; do
		(cd relay/fuzz; mkdir -p corpus/$$target; \
			cargo fuzz run $$target corpus/$$target seeds/$$target -- -runs=$(INPUTS))
	done
	(cd relay/fuzz; mkdir -p corpus/decode; \
		cargo fuzz run decode corpus/decode ../../tests/vectors/audio -- -runs=$(INPUTS) -max_len=32768)

.PHONY: conformance
conformance: ## Hold the relay's WebSocket stack against Autobahn's suite (needs its wstest)
	command -v wstest >/dev/null || { echo "Install Autobahn's suite: pip install autobahntestsuite, with a Python 2.7." >&2; exit 1; }
	cargo build --release --locked --package downbeat-relay --example echo
	"$(TARGET)/release/examples/echo" 127.0.0.1:9001 & echo=$$!
	trap 'kill $$echo' EXIT
	until (exec 3<>/dev/tcp/127.0.0.1/9001) 2>/dev/null; do kill -0 $$echo; sleep 0.05; done
	wstest --mode fuzzingclient --spec relay/examples/autobahn.json
	# Whatever is not one of these is a fault.
	node -e '
		const { downbeat } = JSON.parse(fs.readFileSync("target/conformance/index.json"));
		const verdicts = {}, faults = [];
		for (const [name, { behavior, behaviorClose }] of Object.entries(downbeat)) {
			verdicts[behavior] = (verdicts[behavior] ?? 0) + 1;
			const fine = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"];
			if (!fine.includes(behavior) || !fine.includes(behaviorClose)) faults.push(name);
		}
		console.log(verdicts);
		if (faults.length) { console.error("Faults: " + faults.join(", ")); process.exit(1); }'

.PHONY: bench-relay
bench-relay: ## Measure the relay beside the machine's floor and Node's ws (BENCH="--clients 1000")
	cargo build --release --locked --package downbeat-relay --package downbeat-tests --bins
	npm ci --silent --no-audit --no-fund --prefix tests/tutorial-server || echo "Without Node's ws."
	ulimit -n "$$(ulimit -Hn)"
	"$(TARGET)/release/bench-relay" $(BENCH)
	"$(TARGET)/release/bench-relay" --idle-room 100,1000

.PHONY: bench-join
bench-join: .system-bench ## Measure the seconds from scanning the code to a sound, on an emulated phone
	cargo build --release --locked --package downbeat-relay --package downbeat --package downbeat-tests --bins
	"$(TARGET)/release/bench-join"

.PHONY: soak
soak: ## Put the relay through a long day: 10 minutes, or SOAK_SECONDS
	cargo build --release --locked --package downbeat-relay --package downbeat-tests --bins
	ulimit -n "$$(ulimit -Hn)"
	"$(TARGET)/release/soak"

.PHONY: check-dependencies
check-dependencies: ## Check licences, sources and known flaws of all dependencies
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --locked check bans licenses sources
	# What is known against them is fetched anew each time: without a network, this part fails.
	cargo deny --locked check advisories

.PHONY: .system-run .system-test .system-bench
.system-run: PURPOSE := Building and running Downbeat
.system-run: PACKAGES := $(BUILD_PACKAGES) $(WINDOW_PACKAGES)
.system-test: PURPOSE := Running every test
.system-test: PACKAGES := $(BUILD_PACKAGES) $(WINDOW_PACKAGES) $(LAB_PACKAGES)
.system-bench: PURPOSE := Measuring
.system-bench: PACKAGES := $(BUILD_PACKAGES) $(LAB_PACKAGES) $(PEER_PACKAGES)
.system-run .system-test .system-bench:
	@if command -v dpkg-query >/dev/null; then
		missing=
		for package in $(PACKAGES); do
			case "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" in
				installed) ;;
				*) missing="$$missing $$package" ;;
			esac
		done
		# Installed by other means, such as NodeSource, they may conflict with Debian's packages.
		for command in node:nodejs npm:npm python3:python3; do
			if command -v "$${command%:*}" >/dev/null; then missing=$$(sed "s/ $${command#*:}\b//" <<<"$$missing"); fi
		done
		if [ -n "$$missing" ]; then
			echo "$(PURPOSE) needs packages that this system lacks. apt-get installs now, as root:"
			echo " $$missing"
			as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo
			$$as_root apt-get update -qq
			DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq --no-install-recommends $$missing
		fi
	elif [ "$$(uname)" = Linux ]; then
		echo "This is not Debian or Ubuntu: if the build fails, install the counterparts of"
		echo "  $(PACKAGES)"
	fi
	if ! command -v cargo >/dev/null; then
		echo "Rust is missing: install rustup from https://rustup.rs, then run this again." >&2
		exit 1
	fi
