# SPDX-License-Identifier: Apache-2.0
# ramjet: one non-recursive Makefile. `make help` lists the targets.

VERSION := 0.1.0
comma   := ,
SAN     ?=
DPDK    ?=
# A build with sanitizers never shares objects with a plain one, nor one with DPDK in its library.
O       ?= build$(if $(DPDK),-dpdk)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
BPFTOOL ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
PREFIX  ?= /usr/local
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wold-style-definition -Wcast-qual -Wpointer-arith -Wwrite-strings \
           -Wvla -Wundef -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough
ifeq ($(shell $(CC) --version 2>/dev/null | grep -c clang),0)
# Sanitizers add branches that the null-dereference analysis takes for ours.
WARN    += -Wduplicated-cond -Wlogical-op $(if $(SAN),,-Wnull-dereference)
# Bare fences: the fields around them are atomic, which is what the thread sanitizer looks at.
WARN    += $(if $(findstring thread,$(SAN)),-Wno-tsan)
endif
WERROR  ?= $(if $(CI),-Werror)
HARDEN  := -fstack-protector-strong $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# Skeletons are generated code: -isystem keeps our warnings out of them.
CPPFLAGS += -Iinclude -Iuser -I. -isystem $(O)/bpf -D_GNU_SOURCE
ALL_CFLAGS = -std=gnu11 $(WARN) $(WERROR) $(HARDEN) $(SANFLAG) -pthread $(CFLAGS) -MMD -MP
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra $(WERROR) -Iinclude -I. -MMD -MP
LDFLAGS += -Wl,-z,relro,-z,now,--as-needed $(SANFLAG)

# Sources: a new file in a known folder needs no line here.
BPF_SRC := $(wildcard bpf/*.bpf.c)
LIB_SRC := $(filter-out user/cli/% user/dpdk/%,$(wildcard user/*/*.c netlink/*.c))
DPDK_SRC := $(wildcard user/dpdk/*.c)
CLI_SRC := $(wildcard user/cli/*.c)
FIX_SRC := $(wildcard tests/fixtures/*.c)
SIM_SRC := $(wildcard tests/sim/*.c)
PROGS   := $(wildcard tests/unit/test_*.c tests/bpf/*.c tests/netns/*.c)
DPDK_PROGS := $(wildcard tests/dpdk/*.c)
STRESS  := $(patsubst %.c,$(O)/%,$(wildcard tests/stress/*.c))
RJ_STREAM := $(O)/tests/interop/rj_stream
RJ_PEER := $(O)/tests/interop/rj_peer
BENCH_PROGS := $(O)/bench/udp_ping $(O)/bench/flow $(O)/bench/bare
BENCH_DPDK = $(shell pkg-config --exists libdpdk 2>/dev/null && echo $(O)/ramjet-dpdk)
RECORDER := $(O)/tests/preload/socket_calls.so
FUZZ    := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
LIBS    := $(if $(wildcard user/xdp/*.c),libxdp libbpf) $(if $(wildcard netlink/*.c),libmnl) libcap-ng liburing
LDLIBS  += $(if $(strip $(LIBS)),$(shell pkg-config --libs $(LIBS) 2>/dev/null)) -pthread -lm

# What only the programs need: SHA-256.
CLI_LIBS = $(shell pkg-config --libs libcrypto 2>/dev/null)

# DPDK is in programs that ask for it, and its inline code in nobody's warnings.
DPDK_CFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libdpdk))
DPDK_LIBS = $(shell pkg-config --libs libdpdk)

SKEL    := $(BPF_SRC:bpf/%.bpf.c=$(O)/bpf/%.skel.h)
obj      = $(patsubst %.c,$(O)/obj/%.o,$(1))
LIB     := $(O)/libramjet.a
FIX     := $(O)/libfixtures.a
TESTS   := $(PROGS:%.c=$(O)/%)
DPDK_OBJ := $(call obj,$(DPDK_SRC))
DPDK_TESTS := $(DPDK_PROGS:%.c=$(O)/%)
ALL_OBJ := $(call obj,$(LIB_SRC) $(DPDK_SRC) $(CLI_SRC) $(FIX_SRC) $(SIM_SRC) $(PROGS) $(DPDK_PROGS) \
             $(wildcard tests/stress/*.c tests/fuzz/fuzz_*.c tests/interop/*.c bench/*.c tests/preload/*.c))

all: $(LIB) $(SKEL) $(if $(CLI_SRC),$(O)/ramjet $(O)/aeronmd) ## build the library and the programs
tests: all $(TESTS) $(RJ_STREAM) $(RJ_PEER) $(BENCH_PROGS) $(RECORDER) $(if $(SIM_SRC),$(O)/tests/sim) ## build every test program as well
stress: $(STRESS)
fuzzers: $(FUZZ)
programs: $(BPF_SRC:bpf/%.bpf.c=$(O)/bpf/%.bpf.o)

$(O)/obj/%.o: %.c | tools
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(O)/bpf/%.bpf.o: bpf/%.bpf.c | tools
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# bpftool's linker drops the DWARF that clang leaves in the object and keeps the BTF.
$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen object $(<:.bpf.o=.linked.o) $<
	$(Q)$(BPFTOOL) gen skeleton $(<:.bpf.o=.linked.o) name $* >$@.tmp && mv $@.tmp $@

$(call obj,$(wildcard user/xdp/*.c tests/bpf/*.c)): $(SKEL)

$(LIB): $(call obj,$(LIB_SRC)) $(if $(DPDK),$(DPDK_OBJ))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

link = $(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

$(O)/ramjet: $(call obj,$(CLI_SRC)) $(if $(DPDK),$(DPDK_OBJ)) $(LIB)
	$(call say,LD,$@)
	$(link) $(CLI_LIBS) $(LDLIBS) $(if $(DPDK),$(DPDK_LIBS))

# The same with DPDK, for tests: all but a few objects are those of the plain build.
dpdk: $(O)/ramjet-dpdk $(DPDK_TESTS)
$(DPDK_OBJ) $(call obj,$(DPDK_PROGS)): CPPFLAGS += $(DPDK_CFLAGS)
$(O)/ramjet-dpdk: $(call obj,$(CLI_SRC)) $(DPDK_OBJ) $(LIB)
	$(call say,LD,$@)
	$(link) $(CLI_LIBS) $(LDLIBS) $(DPDK_LIBS)
$(DPDK_TESTS): $(O)/%: $(O)/obj/%.o $(DPDK_OBJ) $(FIX) $(LIB)
	$(call say,LD,$@)
	$(link) -lcriterion $(LDLIBS) $(DPDK_LIBS)

$(O)/aeronmd: $(O)/ramjet
	$(Q)ln -sf ramjet $@

# An archive, so that a test takes only the fixtures that it names.
$(FIX): $(call obj,$(FIX_SRC))
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(TESTS): $(O)/%: $(O)/obj/%.o $(FIX) $(LIB)
	$(call say,LD,$@)
	$(link) -lcriterion $(LDLIBS)

$(O)/tests/sim: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
$(O)/tests/sim: $(call obj,$(SIM_SRC)) $(FIX) $(LIB)
$(STRESS): $(O)/%: $(O)/obj/%.o $(FIX) $(LIB)
$(RJ_STREAM): $(call obj,tests/interop/rj_stream.c tests/fixtures/message_stream.c) $(LIB)
$(RJ_PEER): $(call obj,tests/interop/peer_ours.c tests/interop/peer_streams.c) \
            $(call obj,tests/fixtures/message_stream.c) $(LIB)
$(BENCH_PROGS): $(O)/bench/%: $(O)/obj/bench/%.o $(LIB)
$(O)/bench/bare: $(call obj,$(wildcard bench/bare_*.c))
$(O)/tests/sim $(STRESS) $(RJ_STREAM) $(RJ_PEER) $(BENCH_PROGS):
	$(call say,LD,$@)
	$(link) $(LDLIBS)

# Loaded in front of the C library; nothing of ours is in it.
$(call obj,tests/preload/socket_calls.c): CFLAGS += -fPIC
$(RECORDER): $(O)/tests/preload/%.so: $(O)/obj/tests/preload/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $<

$(FUZZ): $(O)/%: $(O)/obj/%.o $(LIB)
	$(call say,LD,$@)
	$(link) -fsanitize=fuzzer $(LDLIBS)

tools:
	@for t in $(firstword $(CC)) pkg-config $(if $(BPF_SRC),$(CLANG) $(BPFTOOL)); do \
	  command -v $$t >/dev/null || { echo "$$t is missing: run 'make deps' as root" >&2; exit 1; }; done

export O CI
unit: ## unit tests alone (SAN=address,undefined runs them under sanitizers)
	+$(Q)scripts/test.sh --quiet unit
check: all ## quick tests without root: unit and a short simulation
	+$(Q)scripts/test.sh --quiet unit sim
test: ## install what is missing, then run the whole test suite (STAGES="unit sim" for some)
	+$(Q)scripts/test.sh --install $(STAGES)
sim: ## simulation alone: SEEDS=N seeds starting at SEED=S
	+$(Q)SEEDS=$(or $(SEEDS),200) SEED=$(or $(SEED),1) scripts/test.sh sim
fuzz: ## every fuzzer for SECONDS=N each
	+$(Q)FUZZ_SECONDS=$(or $(SECONDS),60) scripts/test.sh fuzz
interop: ## the official clients and drivers against ours, at full length
	+$(Q)INTEROP=full scripts/test.sh --install interop
soak: ## 20000 seeds, long fuzzing, the whole interop: for a night
	+$(Q)SEEDS=20000 FUZZ_SECONDS=1800 INTEROP=full scripts/test.sh --install
run: ## install what is missing, build, and show a file crossing a lossy wire
	+$(Q)scripts/install-deps.sh product && $(MAKE) all && scripts/run.sh
bench: ## measure against the official drivers, with a report (QUICK=1: under 3 minutes)
	+$(Q)scripts/install-deps.sh product interop bench && $(MAKE) all $(BENCH_PROGS) $(BENCH_DPDK) && QUICK=$(QUICK) bench/run.sh
bare: ## `make run` and `make test` in a fresh minimal Debian 12 holding only git and make
	$(Q)scripts/bare.sh
tidy: ## house rules: layers, sizes, forbidden calls, format
	+$(Q)scripts/test.sh style
lint: ## clang-tidy and gcc -fanalyzer over the product
	+$(Q)scripts/lint.sh
format: ## rewrite the sources with clang-format
	$(Q)scripts/tidy.sh --format
deps: ## install what a build needs, as root (GROUP="product test interop")
	$(Q)scripts/install-deps.sh $(or $(GROUP),product)
install: all ## binaries, library, headers, man pages: PREFIX=, DESTDIR=
	$(Q)scripts/install.sh '$(O)' '$(DESTDIR)' '$(PREFIX)' '$(VERSION)' '$(LIBS)$(if $(DPDK), libdpdk)'
clean: ## remove every build folder
	$(Q)rm -rf build build-* $(O)
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

.PHONY: all tests dpdk stress fuzzers programs tools unit check test sim fuzz interop soak run bench \
        bare tidy lint format deps install clean help
.SECONDARY:
-include $(ALL_OBJ:.o=.d) $(BPF_SRC:bpf/%.bpf.c=$(O)/bpf/%.bpf.d)
