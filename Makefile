# SPDX-License-Identifier: Apache-2.0
# ramjet: one non-recursive Makefile. `make help` lists the targets.

O       ?= build
CC      ?= gcc
CLANG   ?= clang
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wold-style-definition -Wcast-qual -Wpointer-arith -Wwrite-strings \
           -Wvla -Wundef -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough
ifeq ($(shell $(CC) --version 2>/dev/null | grep -c clang),0)
WARN    += -Wduplicated-cond -Wlogical-op -Wnull-dereference
endif
WERROR  ?= $(if $(CI),-Werror)
HARDEN  := -fstack-protector-strong $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
CPPFLAGS += -Iinclude -Iuser -I. -I$(O) -D_GNU_SOURCE
ALL_CFLAGS = -std=gnu11 $(WARN) $(WERROR) $(HARDEN) $(SANFLAG) -pthread $(CFLAGS) -MMD -MP
LDLIBS  := -pthread -lm
LDFLAGS += -Wl,-z,relro,-z,now $(SANFLAG)

LIB_SRC := $(filter-out user/cli/%,$(wildcard user/*/*.c netlink/*.c))
CLI_SRC := $(wildcard user/cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(O)/%.o)
UNIT    := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))

all: $(O)/libramjet.a $(if $(CLI_SRC),$(O)/ramjet $(O)/aeronmd)

$(O)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(O)/libramjet.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/ramjet: $(CLI_OBJ) $(O)/libramjet.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(CLI_OBJ) $(O)/libramjet.a $(LDLIBS)

$(O)/aeronmd: $(O)/ramjet
	$(Q)ln -sf ramjet $@

$(O)/tests/unit/%: tests/unit/%.c $(O)/libramjet.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(O)/libramjet.a -lcriterion $(LDLIBS)

unit: $(UNIT)
	$(Q)set -e; for t in $(UNIT); do $$t --quiet || exit 1; done

check: all unit

clean:
	$(Q)rm -rf $(O)

.PHONY: all unit check clean
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(UNIT:=.d)
