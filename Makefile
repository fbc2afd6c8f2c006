# Makefile -- builds, tests and installs lazymap. GNU make, not recursive.
#
# Everything made goes to $(BUILD) (default: build). `make` alone is enough on
# a fresh clone: ./bootstrap installs what is missing, then configure runs.
# `make help` lists the targets; sources are found, not listed.
#
# SPDX-License-Identifier: MIT

BUILD ?= build
CONFIGURE_ARGS ?=
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# One name for one directory, or else everything would be linked again.
BUILD_ABS := $(abspath $(BUILD))
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD_ABS))
ifneq ($(filter $(CURDIR) $(patsubst %/,%,$(dir $(CURDIR))),$(BUILD_ABS)),)
$(error BUILD must be a directory of its own)
endif

# -- Configuration -----------------------------------------------------------

# These need no configuration.
PLAIN := help clean distclean bootstrap check-asan check-tsan check-clang
GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out $(PLAIN),$(GOALS)),)
include $(BUILD)/config.mk
endif

# Both are made by one run; the other file's name is only a hint for make.
configure: configure.ac
	@./bootstrap build
	autoheader -f
	autoconf -f -o $@.$$$$ && mv -f $@.$$$$ $@

$(BUILD)/config.mk: configure config.mk.in
	@./bootstrap build
	@mkdir -p $(@D)
	@cd $(@D) && if test -x config.status; then \
		./config.status --recheck && ./config.status; \
	else \
		$(CURDIR)/configure $(CONFIGURE_ARGS); \
	fi || { echo "configure failed: see $(BUILD)/config.log" >&2; exit 1; }
	@touch $@

bootstrap:
	./bootstrap

# -- Sources -----------------------------------------------------------------

CORE_DIRS := lib lib/place lib/store lib/policy lib/swap lib/syscall lib/trap
CORE_SRC := $(filter-out lib/trap/libsigsegv.c lib/swap/sodium.c,\
	$(sort $(wildcard $(addsuffix /*.c,$(CORE_DIRS)))))
HEAP_SRC := $(sort $(wildcard lib/heap/*.c))
PRELOAD_SRC := $(sort $(wildcard lib/preload/*.c))
# What a program's file says is asked by the command and by the shim.
TOOL_SRC := $(sort $(wildcard tools/*.c)) lib/preload/program.c
EXAMPLE_SRC := $(sort $(wildcard examples/*.c))
BENCH_SRC := $(sort $(wildcard bench/*.c))
BENCH_SUPPORT_SRC := $(sort $(wildcard bench/support/*.c))
SUPPORT_SRC := $(sort $(wildcard test/support/*.c))
# test_*.c is a test; any other .c beside it is a program that tests run.
TEST_SRC := $(sort $(filter-out test/support/%,$(wildcard test/*/test_*.c)))
HELPER_SRC := $(filter-out $(TEST_SRC) test/support/% test/semantics/% \
	test/syscalls/%,$(sort $(wildcard test/*/*.c)))
# One program of several sources, built twice: see test/semantics/semantics.h.
SEMANTICS_SRC := $(sort $(wildcard test/semantics/*.c))
# And one that is built once.
SYSCALLS_SRC := $(sort $(wildcard test/syscalls/*.c))
SCRIPTS := $(filter-out test/programs/%,$(sort $(wildcard test/*/test_*.sh)))
PROGRAM_SCRIPTS := $(sort $(wildcard test/programs/test_*.sh))
FORMAT_SRC = $(shell find lib tools examples test bench -name '*.[ch]' \
	2>/dev/null | sort)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# Which of these sources use the public header, and so need the library.
users = $(if $(1),$(shell grep -lE '^\#[[:space:]]*include[[:space:]]*[<"]lazymap\.h' \
	$(1)))

CORE_OBJ := $(call obj,$(CORE_SRC))
PRELOAD_OBJ := $(call obj,$(PRELOAD_SRC))
HEAP_OBJ := $(call obj,$(HEAP_SRC))
ALL_SRC := $(CORE_SRC) $(PRELOAD_SRC) $(HEAP_SRC) $(wildcard lib/trap/libsigsegv.c) \
	lib/swap/sodium.c \
	$(TOOL_SRC) $(EXAMPLE_SRC) $(BENCH_SRC) $(BENCH_SUPPORT_SRC) \
	$(SUPPORT_SRC) $(TEST_SRC) $(HELPER_SRC) $(SEMANTICS_SRC) \
	$(SYSCALLS_SRC)

# -- What is made ------------------------------------------------------------

SO := liblazymap.so
SONAME := $(SO).0
SOFILE := $(SO).$(VERSION)
LIB_A := $(BUILD)/liblazymap.a
LIB_SO := $(BUILD)/$(SO)
SHIM := $(if $(and $(CORE_SRC),$(PRELOAD_SRC)),$(BUILD)/liblazymap-preload.so) \
	$(if $(HEAP_SRC),$(BUILD)/liblazymap-heap.so)
MODULES := $(if $(and $(SIGSEGV_LIBS),$(wildcard lib/trap/libsigsegv.c)),\
	$(BUILD)/lazymap-trap-libsigsegv.so) \
	$(if $(SODIUM_LIBS),$(BUILD)/lazymap-swap-sodium.so)
LIBRARIES := $(if $(CORE_SRC),$(LIB_A) $(LIB_SO))
TOOL := $(if $(TOOL_SRC),$(BUILD)/lazymap)
EXAMPLES := $(patsubst %.c,$(BUILD)/%,$(EXAMPLE_SRC))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(BENCH_SRC))
TESTS := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))
ifeq ($(SIGSEGV_LIBS),)
TESTS := $(foreach t,$(TESTS),$(if $(findstring libsigsegv,$(notdir $(t))),,$(t)))
endif
HELPERS := $(patsubst %.c,$(BUILD)/%,$(HELPER_SRC))
SEMANTICS := $(if $(SEMANTICS_SRC),$(addprefix $(BUILD)/test/semantics/,\
	semantics semantics-library))
SYSCALLS := $(if $(SYSCALLS_SRC),$(BUILD)/test/syscalls/syscalls)

# Where the C library makes its system calls is kept: lib/syscall/kept.h.
LIBC := $(filter /%,$(shell $(CC) -print-file-name=libc.so.6 2>/dev/null))
SITES_DIR := $(BUILD)/lazymap-sites
SITES := $(if $(and $(TOOL),$(LIBC)),$(if $(SANITIZE),,$(SITES_DIR)/made))

all: $(LIBRARIES) $(SHIM) $(MODULES) $(TOOL) $(SITES) $(EXAMPLES) \
	$(BUILD)/lazymap.pc
tests: all $(if $(CHECK_LIBS),$(TESTS)) $(HELPERS) $(SEMANTICS) \
	$(SYSCALLS)
	@:
benches: all $(BENCHES)
	@:

# One line for each thing made; V=1 shows the commands.
V ?=
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(or $(2),$@);)

# -- Compiling ---------------------------------------------------------------

COMPILE = $(CC) $(INCLUDES) $(LM_FLAGS) $(LM_WARN) $(CPPFLAGS) $(CFLAGS) \
	$(LM_SANITIZE) $(OBJ_FLAGS) $(EXTRA_CFLAGS)
LINK = $(CC) -pthread $(CFLAGS) $(LM_SANITIZE) $(EXTRA_CFLAGS) $(LDFLAGS)
INCLUDES = -I$(BUILD) -Ilib
OBJ_FLAGS = -D_GNU_SOURCE=

# The library is never fortified: __read_chk and the like are among what the
# shim interposes, and would lead from the core back into it.
$(BUILD)/obj/lib/%.o: OBJ_FLAGS += -U_FORTIFY_SOURCE $(CALLGRAPH)
# What a hooked system call passes through must leave the vector registers
# alone: lib/syscall/hook.c.
ifneq ($(findstring __x86_64__,$(shell $(CC) -dM -E -x c /dev/null)),)
NO_VECTORS := lib/syscall/call lib/syscall/copy lib/syscall/pieces \
	lib/syscall/special lib/syscall/command lib/syscall/table \
	lib/syscall/hook lib/syscall/clone lib/syscall/self lib/syscall/made lib/page \
	lib/own
$(NO_VECTORS:%=$(BUILD)/obj/%.o): OBJ_FLAGS += -mgeneral-regs-only
endif
$(BUILD)/obj/lib/%.o $(BUILD)/obj/tools/%.o: CPPFLAGS += \
	-DLM_LIBDIR='"$(libdir)"'
$(BUILD)/obj/test/%.o: OBJ_FLAGS += -Itest/support $(CHECK_CFLAGS)
$(BUILD)/obj/bench/%.o: OBJ_FLAGS += -Ibench/support
# Examples must compile as they are, anywhere.
$(BUILD)/obj/examples/%.o: OBJ_FLAGS =

$(BUILD)/obj/%.o: %.c Makefile $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call obj,$(ALL_SRC)))

# A list of objects, rewritten only when it changes: what is linked from it is
# linked again when a source goes away, too.
$(BUILD)/core.list: LIST = $(CORE_OBJ)
$(BUILD)/support.list: LIST = $(call obj,$(SUPPORT_SRC))
$(BUILD)/%.list: FORCE
	@mkdir -p $(@D)
	@echo '$(LIST)' | cmp -s - $@ || echo '$(LIST)' >$@
FORCE:

# -- Libraries ---------------------------------------------------------------

$(LIB_A): $(CORE_OBJ) $(BUILD)/core.list
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(CORE_OBJ)

$(BUILD)/$(SOFILE): $(CORE_OBJ) $(BUILD)/core.list lib/lazymap.map
	$(call say,LINK)$(LINK) -shared -Wl,-soname,$(SONAME) $(SHARED_FLAGS) \
		-Wl,--version-script,lib/lazymap.map -o $@ $(CORE_OBJ) $(LIBS)

$(LIB_SO): $(BUILD)/$(SOFILE)
	@ln -sf $(SOFILE) $(BUILD)/$(SONAME)
	@ln -sf $(SONAME) $@

$(BUILD)/liblazymap-preload.so: $(PRELOAD_OBJ) $(CORE_OBJ) $(BUILD)/core.list \
		lib/preload/preload.map
	$(call say,LINK)$(LINK) -shared -Wl,-soname,$(@F) $(SHARED_FLAGS) \
		-Wl,--version-script,lib/preload/preload.map -o $@ \
		$(PRELOAD_OBJ) $(CORE_OBJ) $(LIBS)

# Its malloc must not be taken for the compiler's own.
$(HEAP_OBJ): OBJ_FLAGS += -fno-builtin-malloc -fno-builtin-calloc
$(BUILD)/liblazymap-heap.so: $(HEAP_OBJ) lib/heap/heap.map
	$(call say,LINK)$(LINK) -shared -Wl,-soname,$(@F) $(SHARED_FLAGS) \
		-Wl,--version-script,lib/heap/heap.map -o $@ $(HEAP_OBJ) -ldl

$(BUILD)/lazymap-trap-libsigsegv.so: $(call obj,lib/trap/libsigsegv.c)
	$(call say,LINK)$(LINK) -shared -Wl,-soname,$(@F) $(SHARED_FLAGS) -o $@ $< \
		$(SIGSEGV_LIBS) $(LIBS)

$(BUILD)/lazymap-swap-sodium.so: $(call obj,lib/swap/sodium.c)
	$(call say,LINK)$(LINK) -shared -Wl,-soname,$(@F) $(SHARED_FLAGS) -o $@ $< \
		$(SODIUM_LIBS)

$(BUILD)/lazymap.pc: lazymap.pc.in $(BUILD)/config.mk
	@sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' \
		-e 's|@libdir@|$(libdir)|' -e 's|@includedir@|$(includedir)|' \
		-e 's|@VERSION@|$(VERSION)|' lazymap.pc.in >$@

# -- Programs ----------------------------------------------------------------

$(BUILD)/lazymap: $(call obj,$(TOOL_SRC)) $(LIB_A)
	$(call say,LINK)$(LINK) -o $@ $(call obj,$(TOOL_SRC)) $(LIB_A) $(LIBS)

# Without it they are looked for each time. The C library may have no build id,
# or be another machine's.
$(SITES_DIR)/made: $(TOOL) $(wildcard $(LIBC))
	@rm -rf $(@D) && mkdir -p $(@D)
	$(call say,KEEP,$(@D))$(TOOL) sites --keep $(@D) $(LIBC) >$@ || :

# $(1): sources. What they link: nothing, or the shared library beside them.
RPATH = -L$(BUILD) -llazymap -Wl,-rpath,'$$ORIGIN/$(1)'
SHARED_USERS := $(call users,$(EXAMPLE_SRC) $(BENCH_SRC) $(HELPER_SRC) \
	$(filter test/preload/%,$(TEST_SRC)))
$(patsubst %.c,$(BUILD)/%,$(SHARED_USERS)): $(LIB_SO)
$(patsubst %.c,$(BUILD)/%,$(filter test/%,$(SHARED_USERS))): \
	LINK_LIBS += $(call RPATH,../..)
$(patsubst %.c,$(BUILD)/%,$(filter-out test/%,$(SHARED_USERS))): \
	LINK_LIBS += $(call RPATH,..)

$(EXAMPLES) $(HELPERS): $(BUILD)/%: $(BUILD)/obj/%.o
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $< $(LINK_LIBS) $(LIBS)

$(BENCHES): $(BUILD)/%: $(BUILD)/obj/%.o $(call obj,$(BENCH_SUPPORT_SRC))
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ $(LINK_LIBS) $(LIBS)
# Only objects are to be linked by name: the library comes with its rpath.
$(BENCHES): LINK_LIBS += -lm

# Tests reach internals, so they take the core's objects. Those of the shim
# are ordinary programs: whatever they take of lazymap comes from outside.
# Modules are looked for beside the code that loads them.
SUPPORT_A := $(if $(SUPPORT_SRC),$(BUILD)/test/libsupport.a)
$(BUILD)/test/libsupport.a: $(call obj,$(SUPPORT_SRC)) $(BUILD)/support.list
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(call obj,$(SUPPORT_SRC))

CORE_TESTS := $(filter-out $(BUILD)/test/preload/%,$(TESTS))
$(if $(CORE_SRC),$(CORE_TESTS)): $(LIB_A)
$(CORE_TESTS): LINK_LIBS = $(if $(CORE_SRC),$(LIB_A))
# Tests of the libsigsegv trap take its object, too.
SIGSEGV_TESTS := $(foreach t,$(TESTS),$(if $(findstring libsigsegv,$(notdir $(t))),$(t)))
$(SIGSEGV_TESTS): $(call obj,lib/trap/libsigsegv.c)
$(SIGSEGV_TESTS): LINK_LIBS = $(call obj,lib/trap/libsigsegv.c) $(LIB_A) \
	$(SIGSEGV_LIBS)
$(TESTS): $(BUILD)/%: $(BUILD)/obj/%.o $(SUPPORT_A)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $< $(SUPPORT_A) $(LINK_LIBS) \
		$(CHECK_LIBS) -ldl $(LIBS)
	@$(foreach m,$(notdir $(MODULES)),ln -sf ../../$(m) $(@D)/$(m);)

LIBRARY_OBJ := $(patsubst %.c,$(BUILD)/obj/%-library.o,$(SEMANTICS_SRC))
$(BUILD)/obj/%-library.o: %.c Makefile $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) -DSEM_LIBRARY -MMD -MP -c -o $@ $<

-include $(LIBRARY_OBJ:.o=.d)

$(BUILD)/test/semantics/semantics: $(call obj,$(SEMANTICS_SRC))
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ $(LIBS)

$(BUILD)/test/semantics/semantics-library: $(LIBRARY_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ $(LIBS)

# It reads the table that it is a test of.
$(BUILD)/test/syscalls/syscalls: $(call obj,$(SYSCALLS_SRC) \
	lib/syscall/table.c lib/syscall/commands.c)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ $(LIBS)

# -- Testing -----------------------------------------------------------------

T ?=
TIMEOUT ?= 300
# How many test programs run at a time.
JOBS ?= $(shell [ "$$(nproc)" -gt 1 ] && echo 2 || echo 1)
# The second time absent pages are hidden by protection alone.
TRAPS ?= native $(if $(SIGSEGV_LIBS),libsigsegv,native)+LAZYMAP_GUARD=0
ASAN := handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1
ASAN := $(ASAN):use_sigaltstack=0:detect_leaks=0:detect_odr_violation=0
TSAN := handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1
TSAN := $(TSAN):use_sigaltstack=0:halt_on_error=0:exitcode=66
TEST_ENV = SANITIZE='$(SANITIZE)' SRCDIR='$(CURDIR)' BUILDDIR='$(BUILD_ABS)' \
	CC='$(CC)' CXX='$(CXX)' MAKE='$(MAKE)' \
	ASAN_OPTIONS='$(ASAN)' TSAN_OPTIONS='$(TSAN)' \
	UBSAN_OPTIONS='print_stacktrace=1:halt_on_error=1'
RUN = $(TEST_ENV) test/run -t '$(strip $(TRAPS))' -s $(TIMEOUT) -j $(JOBS)

check: tests
	@test -n '$(CHECK_LIBS)' || { echo "The tests need Check: ./bootstrap," \
		"then make reconfigure" >&2; exit 1; }
	@$(RUN) -n '$(T)' $(TESTS) $(SCRIPTS)

# One at a time: they start servers, or need much of the memory.
check-programs: all $(HELPERS)
	@$(RUN) -j 1 -n '$(T)' -e $(PROGRAM_SCRIPTS)

check-asan:
	@$(MAKE) BUILD=build-asan check \
		CONFIGURE_ARGS='--enable-sanitize=address,undefined'

check-tsan:
	@$(MAKE) BUILD=build-tsan check CONFIGURE_ARGS='--enable-sanitize=thread'

# Compiling with clang is the test: its warnings are errors.
check-clang:
	@$(MAKE) BUILD=build-clang tests benches \
		CONFIGURE_ARGS='CC=clang CXX=clang++ --enable-werror' && \
		echo "1 passed, 0 failed" || { echo "0 passed, 1 failed"; false; }

check-format:
	@test -n '$(CLANG_FORMAT)' || { echo "clang-format-14 is not here:" \
		"./bootstrap ci, then make reconfigure" >&2; exit 1; }
	@$(CLANG_FORMAT) --dry-run -Werror $(FORMAT_SRC) && \
		echo "1 passed, 0 failed" || { echo "0 passed, 1 failed"; false; }

check-symbols: all
	@NM='$(NM)' test/symbols $(BUILD) $(CORE_OBJ)

format:
	$(CLANG_FORMAT) -i $(FORMAT_SRC)

# bench/report makes tables of what is kept in bench.log.
bench: benches
	@status=0; : >$(BUILD)/bench.log; for b in $(BENCHES); do \
		case $${b##*/} in *'$(T)'*) ;; *) continue ;; esac; \
		echo "== $${b##*/}"; $$b | tee -a $(BUILD)/bench.log; \
		[ $${PIPESTATUS[0]} = 0 ] || status=1; \
		done; exit $$status

demo: all
	@tools/demo $(BUILD)

# -- Installing --------------------------------------------------------------

INSTALL := install
D = $(DESTDIR)
MODULE_DIR = $(libdir)/lazymap
MAN := $(sort $(wildcard doc/*.[1-8]))
man_path = $(mandir)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

install: all
	$(INSTALL) -d $(D)$(includedir) $(D)$(MODULE_DIR) $(D)$(pkgconfigdir) \
		$(D)$(bindir)
	$(INSTALL) -m 644 lib/lazymap.h $(D)$(includedir)/
ifneq ($(LIBRARIES),)
	$(INSTALL) -m 644 $(LIB_A) $(D)$(libdir)/
	$(INSTALL) -m 755 $(BUILD)/$(SOFILE) $(D)$(libdir)/
	ln -sf $(SOFILE) $(D)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(D)$(libdir)/$(SO)
endif
	$(if $(SHIM)$(MODULES),$(INSTALL) -m 755 $(SHIM) $(MODULES) \
		$(D)$(MODULE_DIR)/)
	$(if $(TOOL),$(INSTALL) -m 755 $(TOOL) $(D)$(bindir)/)
ifneq ($(SITES),)
	$(INSTALL) -d $(D)$(MODULE_DIR)/$(notdir $(SITES_DIR))
	$(INSTALL) -m 644 $(SITES_DIR)/* $(D)$(MODULE_DIR)/$(notdir $(SITES_DIR))/
endif
	$(INSTALL) -m 644 $(BUILD)/lazymap.pc $(D)$(pkgconfigdir)/
	$(foreach m,$(MAN),$(INSTALL) -D -m 644 $(m) $(D)$(call man_path,$(m)) &&) :

uninstall:
	rm -f $(D)$(includedir)/lazymap.h $(D)$(pkgconfigdir)/lazymap.pc \
		$(addprefix $(D)$(libdir)/,liblazymap.a $(SO) $(SONAME) $(SOFILE)) \
		$(addprefix $(D)$(MODULE_DIR)/,$(notdir $(SHIM) $(MODULES))) \
		$(D)$(bindir)/lazymap $(foreach m,$(MAN),$(D)$(call man_path,$(m)))
	rm -rf $(D)$(MODULE_DIR)/$(notdir $(SITES_DIR))
	-rmdir $(D)$(MODULE_DIR)

# -- The rest ----------------------------------------------------------------

reconfigure:
	@rm -f $(BUILD)/config.status $(BUILD)/config.mk
	@$(MAKE) BUILD='$(BUILD)' CONFIGURE_ARGS='$(CONFIGURE_ARGS)' \
		$(BUILD)/config.mk

clean:
	@if test -f $(BUILD)/config.mk; then cd $(BUILD) && rm -rf obj test \
		examples bench bench.log lazymap lazymap-sites lazymap.pc *.list *.a *.so \
		*.so.*; fi

distclean:
	@for dir in $(BUILD) build build-*; do \
		if test -f $$dir/config.log; then rm -rf $$dir; fi; done
	@rm -rf autom4te.cache configure configure~ config.h.in config.h.in~

help:
	@: $(info $(HELP))

define HELP
	make                  everything but the tests; sets up what is missing
	make check [T=name]   build and run the tests (whose name contains name)
	make check-asan       the same under Address- and UBSanitizer
	make check-tsan       the same under ThreadSanitizer
	make check-clang      compile with clang, warnings are errors
	make check-format     is every .c and .h as .clang-format wants it?
	make check-symbols    what the libraries export, and what they call
	make check-programs   known programs under the shim
	make bench [T=name]   measure: everything in bench/ (BENCH_QUICK=1: briefly)
	make demo             build, and show what it does
	make install          to --prefix; DESTDIR is honoured
	make uninstall, clean, distclean, format
	make reconfigure CONFIGURE_ARGS="--prefix=/usr ..."
	Variables: BUILD (build), CONFIGURE_ARGS, T, TRAPS, TIMEOUT, JOBS (test
	programs at a time), DESTDIR, V=1
endef
export HELP

.PHONY: all tests benches check check-programs check-asan check-tsan \
	check-clang check-format check-symbols format bench demo install \
	uninstall reconfigure clean distclean help bootstrap FORCE
