# swarmlet: `make help` says what there is.

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
TARGET_DIR = $(or $(CARGO_TARGET_DIR),target)
ARCH := $(shell uname -m)
MUSL = $(ARCH)-unknown-linux-musl
# Where rustc keeps what it needs for the target, if that was installed (rustup target add).
MUSL_LIB = $(shell rustc --print target-libdir --target $(MUSL) 2>/dev/null)
HOST = $(shell rustc -vV | sed -n 's/^host: //p')


.PHONY: all book demo test check bench small static install clean help
.DEFAULT_GOAL := all

all: ## builds the program with all it has
	$(CARGO) build --release --locked

demo: ## runs a whole swarm on this machine, to be watched (half a minute)
	$(CARGO) test --locked --test demo

test: ## runs every test, with real peers where they are installed
	@$(CARGO) test --locked --quiet
	@echo "test: every story came out as told"

# `make check TESTED=1` leaves the tests out, for who has just run them.
check: ## what a change must pass: format, lints, documentation, tests
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked --quiet --all-targets -- -D warnings
	@$(CARGO) clippy --locked --quiet --all-targets --no-default-features -- -D warnings
	@$(CARGO) clippy --locked --quiet --all-targets --features hw-sha1 -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --quiet --no-deps --document-private-items
	@$(CARGO) test --locked --quiet --features hw-sha1 --lib sha1
	@$(if $(TESTED),:,$(MAKE) --no-print-directory test)
	@echo "check: format, lints of three builds, documentation, hw-sha1$(if $(TESTED),, and all tests) passed"

# `make bench ROUNDS=5 SIZE=256 ONLY=speed` (or serve, memory, idle, make, size). What measures is a test program; what is measured
# it builds with the profiles people get.
bench: ## measures speed, memory, idleness and size, beside aria2 (minutes)
	@$(CARGO) bench --locked --quiet --profile dev --bench bench -- rounds=$(ROUNDS) size=$(SIZE) only=$(ONLY)

small: ## builds for flash chips: the fewest bytes, no TLS
	@$(CARGO) build --locked --quiet --profile small --no-default-features
	@stat -c 'small: %n has %s bytes' $(TARGET_DIR)/small/swarmlet

static: ## builds one file that needs no library: with musl if its target is installed, else with glibc
	@if [ -n "$(MUSL_LIB)" ] && [ -d "$(MUSL_LIB)" ]; then target=$(MUSL) flags="$$RUSTFLAGS"; \
	else target=$(HOST) flags="$$RUSTFLAGS -C target-feature=+crt-static"; fi; \
	RUSTFLAGS="$$flags" $(CARGO) build --locked --quiet --release --target $$target || exit 1; \
	program=$(TARGET_DIR)/$$target/release/swarmlet; \
	if ldd $$program 2>&1 | grep -Eq 'statically linked|not a (valid )?dynamic'; \
	then stat -c 'static: %n needs no library and has %s bytes' $$program; \
	else echo "static: $$program needs libraries:" >&2; ldd $$program >&2; exit 1; fi

# The programs of 2004 (src/cli/old.rs, track.rs), each also with `.py`. What is there and no link of ours stays.
OLD_NAMES = bttrack btmakemetafile btcompletedir btshowmetainfo btreannounce btrename btdownloadcurses btdownloadheadless btlaunchmany btlaunchmanycurses

MAN = $(DESTDIR)$(PREFIX)/share/man/man1
SHARE = $(DESTDIR)$(PREFIX)/share
install: all ## installs the program, man pages and completions below DESTDIR and PREFIX (/usr/local)
	install -D -m 755 $(TARGET_DIR)/release/swarmlet $(DESTDIR)$(PREFIX)/bin/swarmlet
	@cd $(DESTDIR)$(PREFIX)/bin && for name in $(OLD_NAMES) $(OLD_NAMES:=.py); do \
	if [ "$$(readlink $$name)" = swarmlet ] || [ ! -e $$name ]; then ln -sf swarmlet $$name; else echo "install: left $$name as it is"; fi; done
	@install -d $(MAN) $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	$(TARGET_DIR)/release/swarmlet man --dir $(MAN)
	$(TARGET_DIR)/release/swarmlet completions bash > $(SHARE)/bash-completion/completions/swarmlet
	$(TARGET_DIR)/release/swarmlet completions zsh > $(SHARE)/zsh/site-functions/_swarmlet
	$(TARGET_DIR)/release/swarmlet completions fish > $(SHARE)/fish/vendor_completions.d/swarmlet.fish
	@echo "install: $(DESTDIR)$(PREFIX)/bin/swarmlet"

book: ## builds the book: the sources as pages to be read
	@$(CARGO) doc --locked --quiet --no-deps --document-private-items
	@echo "book: $(TARGET_DIR)/doc/swarmlet/index.html"

clean: ## removes what was built
	$(CARGO) clean

help: ## says what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10
