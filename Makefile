# swarmlet: `make help` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
TARGET_DIR = $(or $(CARGO_TARGET_DIR),target)
ARCH := $(shell uname -m)
MUSL = $(ARCH)-unknown-linux-musl
# The target's standard library, if it is installed (rustup target add).
MUSL_LIB = $(shell rustc --print target-libdir --target $(MUSL) 2>/dev/null)
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: all built audit book demo test check bench simulate small static share install deb dist openwrt check-packages clean help uninstall
.DEFAULT_GOAL := all

# How the linker lays out a release: it leaves out the tables for unwinding and groups what is seldom called (see
# src/release.ld). It packs relocations where the C library can read them (glibc 2.36). A linker without such scripts
# (gold, mold, wild) links without it. If only cargo's configuration names that linker, use `make LINK=`.
GLIBC = $(shell getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc 2\.//p')
PACK = -Wl,-z,pack-relative-relocs
LAYOUT = -Wl,--no-eh-frame-hdr -T$(CURDIR)/src/release.ld $(if $(shell [ "$(GLIBC)" -ge 36 ] 2>/dev/null && echo yes),$(PACK))
LINK = $(if $(shell echo 'int main(void) { return 0; }' | cc -x c - $(LAYOUT) -o /dev/null 2>/dev/null && echo yes),$(LAYOUT))
# If the compiler has them, the few functions of gcc's library that the standard library calls are linked statically.
GCC_EH = $(shell cc -print-file-name=libgcc_eh.a)
STATIC_GCC = $(if $(findstring /,$(GCC_EH)),-L native=$(dir $(GCC_EH)) -l static:-bundle=gcc_eh)
LINKED = --features "$(FEATURES)" --bin swarmlet -- $(foreach argument,$(LINK),-C link-arg=$(argument)) $(STATIC_GCC)

# `make ONLY_FEATURES=1 FEATURES="tls make dht"` builds with these features alone.
all: ## builds the program with the default features
	@$(CARGO) rustc --locked --quiet --release $(if $(ONLY_FEATURES),--no-default-features) $(LINKED)
	@stat -c 'swarmlet: %n has %s bytes' $(TARGET_DIR)/release/swarmlet

# Without https and the daemon it is built in half the time. `make demo DEMO="--free-riders 3 --svg demo.svg"` gives options.
demo: ## builds, and runs a whole swarm on this machine to watch (half a minute)
	@$(CARGO) run --locked --no-default-features --features "demo dht pex" -- demo $(DEMO)

# Stories wait most of the time, so four of them share a processor. RUST_TEST_THREADS=N sets another number.
test: export RUST_TEST_THREADS ?= $(shell echo $$((4 * $$(nproc))))
test: ## runs every test, with other BitTorrent programs if they are installed
	@$(CARGO) test --locked --quiet
	@echo "test: all tests passed"

# Builds that must be free of warnings besides the usual one: without any optional feature, and with one of them.
BUILDS = "--no-default-features" "--no-default-features --features tracker" "--no-default-features --features make" \
	"--no-default-features --features tls" "--no-default-features --features magnet" \
	"--no-default-features --features pex" "--no-default-features --features lsd" "--no-default-features --features dht" \
	"--no-default-features --features encryption" "--no-default-features --features webseeds" \
	"--no-default-features --features portmap" "--no-default-features --features daemon" \
	"--no-default-features --features replay" "--no-default-features --features demo" \
	"--no-default-features --features hw-sha1"

# `make check TESTED=1` leaves the tests out, if they have just run.
check: ## runs what a change must pass: format, lints of all builds, documentation, tests
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked --quiet --all-targets -- -D warnings
	@for build in $(BUILDS); do $(CARGO) clippy --locked --quiet --lib --bins $$build -- -D warnings || exit 1; done
	@$(CARGO) clippy --locked --quiet --all-targets --no-default-features -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --quiet --no-deps --document-private-items
	@$(CARGO) test --locked --quiet --no-default-features --lib sha1
	@$(if $(TESTED),:,$(MAKE) --no-print-directory test)
	@echo "check: format, lints of all builds, documentation, portable SHA-1$(if $(TESTED),, and all tests) passed"

# `make bench ROUNDS=5 SIZE=256 ONLY=speed` (or serve, web, memory, idle, make, readers, slow, seeds, end, sequential, far,
# magnet, dht, many, five-thousand, page, box, tracker, size). A test program measures; it builds what it measures with the
# profiles that users get.
bench: ## measures speed, memory, idleness, size and growth beside other programs (takes a quarter of an hour)
	@$(CARGO) bench --locked --quiet --profile dev --bench bench -- rounds=$(ROUNDS) size=$(SIZE) only=$(ONLY)

# `make simulate PEERS=1000 PIECES=1000 SEED=1 ONLY=equal` (or crowd, order, riders, classes, liars, churn). It is optimized
# because it is the torrents' own code that runs, for a thousand of them. The book says what it finds (src/book/measurements.md).
simulate: ## runs whole swarms in virtual time, prints what they do, and draws curves into target/laboratory
	@$(CARGO) bench --locked --quiet --profile simulate --no-default-features --bench simulate -- \
	peers=$(PEERS) pieces=$(PIECES) seed=$(SEED) links=$(LINKS) only=$(ONLY)

# `make small FEATURES="tls tracker make"` puts capabilities back in.
small: ## builds for flash chips: the fewest bytes, without optional features
	@$(CARGO) rustc --locked --quiet --profile small --no-default-features $(LINKED)
	@stat -c 'small: %n has %s bytes' $(TARGET_DIR)/small/swarmlet

static: ## builds one file that needs no library: with musl if its Rust target is installed, else with glibc
	@if [ -n "$(MUSL_LIB)" ] && [ -d "$(MUSL_LIB)" ]; then target=$(MUSL) flags="$$RUSTFLAGS"; \
	else target=$(HOST) flags="$$RUSTFLAGS -C target-feature=+crt-static"; fi; \
	RUSTFLAGS="$$flags" $(CARGO) build --locked --quiet --release --target $$target || exit 1; \
	program=$(TARGET_DIR)/$$target/release/swarmlet; \
	if ldd $$program 2>&1 | grep -Eq 'statically linked|not a (valid )?dynamic'; \
	then stat -c 'static: %n needs no library and has %s bytes' $$program; \
	else echo "static: $$program needs libraries:" >&2; ldd $$program >&2; exit 1; fi

# The programs of 2004 (src/cli/old.rs, track.rs), each also with `.py`. What is there and no link of ours stays.
OLD_NAMES = bttrack btmakemetafile btcompletedir btshowmetainfo btreannounce btrename btdownloadcurses btdownloadheadless btlaunchmany btlaunchmanycurses

SHARE = $(DESTDIR)$(PREFIX)/share
# Where zsh looks. Debian has vendor-completions for packages.
ZSH = site-functions
# With sudo, cargo is often not in PATH. Then what `make` built before is taken as it is.
built:
	@if command -v $(firstword $(CARGO)) >/dev/null 2>&1; then $(MAKE) --no-print-directory all; \
	elif [ -x $(TARGET_DIR)/release/swarmlet ]; then echo "built: cargo is not in PATH, so what was built before is taken"; \
	else echo "built: nothing is built, and cargo is not in PATH: run make first, as the user that has cargo" >&2; exit 1; fi

share: built
	@install -d $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/zsh/$(ZSH) $(SHARE)/fish/vendor_completions.d
	$(TARGET_DIR)/release/swarmlet man --dir $(SHARE)/man/man1
	$(TARGET_DIR)/release/swarmlet completions bash > $(SHARE)/bash-completion/completions/swarmlet
	$(TARGET_DIR)/release/swarmlet completions zsh > $(SHARE)/zsh/$(ZSH)/_swarmlet
	$(TARGET_DIR)/release/swarmlet completions fish > $(SHARE)/fish/vendor_completions.d/swarmlet.fish

install: share ## installs the program, man pages and completions below DESTDIR and PREFIX (/usr/local)
	install -D -m 755 $(TARGET_DIR)/release/swarmlet $(DESTDIR)$(PREFIX)/bin/swarmlet
	@cd $(DESTDIR)$(PREFIX)/bin && for name in $(OLD_NAMES) $(OLD_NAMES:=.py); do \
	if [ "$$(readlink $$name)" = swarmlet ] || [ ! -e $$name ]; then ln -sf swarmlet $$name; else echo "install: left $$name as it is"; fi; done
	@echo "install: $(DESTDIR)$(PREFIX)/bin/swarmlet"

uninstall: ## removes what `make install` put below DESTDIR and PREFIX
	@cd $(DESTDIR)$(PREFIX)/bin && for name in $(OLD_NAMES) $(OLD_NAMES:=.py); do \
	if [ "$$(readlink $$name)" = swarmlet ]; then rm $$name; fi; done
	rm -f $(DESTDIR)$(PREFIX)/bin/swarmlet $(SHARE)/man/man1/swarmlet.1 $(SHARE)/man/man1/swarmlet-*.1
	rm -f $(SHARE)/bash-completion/completions/swarmlet $(SHARE)/zsh/$(ZSH)/_swarmlet $(SHARE)/fish/vendor_completions.d/swarmlet.fish

# Packages (src/packaging). All times in them are that of the last commit, or else of the source archive, so that two
# builds are the same.
PACKAGES = src/packaging
# The name and address in the packages. This one reaches nobody: to publish a package, give your own.
MAINTAINER ?= the swarmlet authors <swarmlet@example.org>
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)
STAGE = $(abspath $(TARGET_DIR))/stage
DEB = $(TARGET_DIR)/swarmlet_$(VERSION)_$(shell dpkg --print-architecture 2>/dev/null).deb
DIST = $(TARGET_DIR)/swarmlet-$(VERSION).tar.xz
# Where OpenWrt's build gets the archive: the folder of its URL.
DIST_URL = file://$(abspath $(TARGET_DIR))
export MAINTAINER DIST_URL
# A variable as sed and the shell take it: both may be anything.
ESCAPED = $$(printf %s "$$$(1)" | sed 's/[&|\\]/\\&/g')

deb: ## builds a Debian package with a service for systemd
	@rm -rf $(STAGE)
	@$(MAKE) --no-print-directory --silent share DESTDIR=$(STAGE) PREFIX= ZSH=vendor-completions
	@$(PACKAGES)/deb/build.sh $(TARGET_DIR)/release/swarmlet $(STAGE)/share $(DEB) $(VERSION) "$$MAINTAINER"

dist: ## packs the last commit and its crates into an archive that builds without a network
	@rm -rf $(STAGE)
	@$(MAKE) --no-print-directory --silent share DESTDIR=$(STAGE) PREFIX=
	@CARGO="$(CARGO)" $(PACKAGES)/dist.sh $(DIST) swarmlet-$(VERSION) $(STAGE)/share

openwrt: dist ## writes a feed for OpenWrt, which builds that archive (DIST_URL=https://... says where it is)
	@rm -rf $(TARGET_DIR)/openwrt && mkdir -p $(TARGET_DIR)/openwrt/net
	@cp -R $(PACKAGES)/openwrt $(TARGET_DIR)/openwrt/net/swarmlet
	@sed -i -e 's|@VERSION@|$(VERSION)|' -e "s|@URL@|$(call ESCAPED,DIST_URL)|" -e "s|@MAINTAINER@|$(call ESCAPED,MAINTAINER)|" -e "s|@HASH@|$$(sha256sum $(DIST) | cut -d ' ' -f 1)|" \
	$(TARGET_DIR)/openwrt/net/swarmlet/Makefile
	@echo "openwrt: $(TARGET_DIR)/openwrt"

# `make check-packages CACHE=DIR` keeps the Debian system for the next run.
# `make check-packages OPENWRT=DIR` also runs the service in a copy of the OpenWrt in DIR (see check/router.sh).
check-packages: deb dist ## tries the packages in a fresh Debian and without a network (needs root, minutes)
	@$(PACKAGES)/check/deb.sh $(DEB)
	@$(PACKAGES)/check/systemd.sh $(DEB)
	@$(PACKAGES)/check/dist.sh $(DIST)
	@$(if $(OPENWRT),$(MAKE) --no-print-directory static)
	@$(if $(OPENWRT),$(PACKAGES)/check/router.sh $(OPENWRT) $(TARGET_DIR)/$(MUSL)/release/swarmlet)

audit: ## prints lines of code, limits, and all that writes files, from the sources
	@$(CARGO) test --locked --quiet --test architecture -- --ignored --nocapture audit::report

book: ## builds the book: the manual, and the sources as pages
	@$(CARGO) doc --locked --quiet --no-deps --document-private-items
	@echo "book: $(TARGET_DIR)/doc/swarmlet/index.html"

clean: ## removes everything that was built
	$(CARGO) clean

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16
