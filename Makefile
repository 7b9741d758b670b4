# oudpd - the open urban data broker. GNU make 4.3; everything is built under build/$(MODE)/.
# `make help` lists what can be asked.

MODE    ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
B       := build/$(MODE)

PKGS     := libuv lmdb jansson libwebsockets openssl libconfuse libcurl libmosquitto libpcre2-8 libsystemd libqrencode proj
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef \
	-Wpointer-arith -Wwrite-strings -Wno-missing-field-initializers
ifeq ($(WERROR),1)
WARN += -Werror
endif
VERSION  := $(shell sed -n 's/^\#\# \([0-9][0-9.]*\).*/\1/p' CHANGES 2>/dev/null | head -n 1)
CPPFLAGS += -Ibroker -D_GNU_SOURCE -DOUDP_VERSION='"$(or $(VERSION),0.0.0)"' $(PKG_CFLAGS)
CFLAGS   += -std=gnu11 -g -fno-omit-frame-pointer $(WARN)
LDLIBS   += -Wl,--as-needed $(PKG_LIBS) -lgeos_c -lpthread -lm
ifeq ($(MODE),release)
CFLAGS  += -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDFLAGS += -pie -Wl,-z,relro,-z,now
else ifeq ($(MODE),asan)
CFLAGS  += -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(MODE),tsan)
CFLAGS  += -O1 -g1 -fsanitize=thread
LDFLAGS += -fsanitize=thread
else ifeq ($(MODE),fuzz)
CC      := clang
CFLAGS  += -O1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
LDFLAGS += -fsanitize=address,undefined
else
$(error MODE must be release, asan, tsan or fuzz)
endif

# A hundred programs are linked for the tests; gold takes a third of the time.
ifneq ($(filter asan tsan,$(MODE)),)
GOLD := $(if $(shell command -v ld.gold),-fuse-ld=gold)
LDFLAGS += $(GOLD)
endif

# `make V=1` shows the commands.
ifeq ($(V),1)
say =
else
say = @printf '  %-4s %s\n' '$(1)' '$@';
endif

LIB_SRC   := $(filter-out broker/main.c,$(wildcard broker/*.c)) \
	     $(filter-out broker/cli/%,$(wildcard broker/*/*.c))
CLI_SRC   := $(wildcard broker/cli/*.c)
UNIT_SRC  := $(wildcard tests/unit/*/test_*.c)
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
TOOL_SRC  := $(wildcard tests/tools/*.c)
REPLAY_SRC := $(wildcard tests/replay/*.c)
ASSETS    := broker/web/assets
LEAFLET   ?= /usr/share/javascript/leaflet
LIB_OBJ   := $(LIB_SRC:%.c=$(B)/obj/%.o) $(B)/obj/broker/web/assets_S.o
CLI_OBJ   := $(CLI_SRC:%.c=$(B)/obj/%.o)
UNITS     := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
FUZZERS   := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
BENCHES   := $(BENCH_SRC:tests/bench/%.c=$(B)/bench/%)
CONNECT_SRC := $(wildcard connectors/host/*.c)
CONNECT_LIBS := -ljq -lexpat -lz -lmicrohttpd
CONNECT_OBJ := $(CONNECT_SRC:%.c=$(B)/obj/%.o)
TOOLS     := $(TOOL_SRC:tests/tools/%.c=$(B)/tools/%)

.PHONY: all deb units fuzzers benches tools replay run check check-long bench bench-series lint format install uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/oudpd $(B)/oudp $(B)/oudp-connect

$(B)/oudpd: $(B)/obj/broker/main.o $(B)/liboudp.a
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/oudp: $(CLI_OBJ) $(B)/liboudp.a
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/oudp-connect: $(CONNECT_OBJ) $(B)/liboudp.a
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CONNECT_LIBS) $(LDLIBS)

$(B)/obj/connectors/%.o: CPPFLAGS += -Iconnectors -DOUDP_CONNECTOR_DIR='"$(PREFIX)/share/oudp/connectors"'

$(B)/liboudp.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(B)/obj/tests/%.o: CPPFLAGS += -Itests

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The files of the pages go into the program as they are.
$(B)/obj/broker/web/assets_S.o: broker/web/assets.S $(wildcard $(ASSETS)/*) $(LEAFLET)/leaflet.min.js $(LEAFLET)/leaflet.css
	@mkdir -p $(@D)
	$(call say,AS)$(CC) -c -Wa,-I$(ASSETS),-I$(LEAFLET) -o $@ $<

units: $(UNITS)
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/liboudp.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

# In MODE=fuzz a target fuzzes; in the other modes it replays the files and folders it is given.
fuzzers: $(FUZZERS)
ifeq ($(MODE),fuzz)
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/liboudp.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
else
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay.o $(B)/liboudp.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
endif

# Its subject is beside the broker, not in the library.
$(B)/obj/tests/fuzz/fuzz_connect.o: CPPFLAGS += -Iconnectors
$(B)/fuzz/fuzz_connect: LDLIBS := $(B)/liboudp.a $(CONNECT_LIBS) $(LDLIBS)
$(B)/fuzz/fuzz_connect: $(B)/libconnect.a
$(B)/libconnect.a: $(filter-out %/main.o,$(CONNECT_OBJ))
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

benches: $(BENCHES)
$(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/liboudp.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/tools/paho: LDLIBS += -lpaho-mqtt3c
tools: $(TOOLS)
$(B)/tools/%: $(B)/obj/tests/tools/%.o $(B)/liboudp.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

replay: $(B)/replay/replay
$(B)/replay/replay: $(REPLAY_SRC:%.c=$(B)/obj/%.o) $(B)/liboudp.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

run:
	@.ci/install build run
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@tests/demo

check:
	@.ci/install build run check
	@tests/run check

check-long:
	@.ci/install build run check
	@tests/run long

bench-series:
	@.ci/install build bench
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@tests/bench/series $(ARGS)

bench:
	@.ci/install build run check
	@$(MAKE) --no-print-directory -j$$(nproc) all benches
	@tests/bench/run

lint:
	@tests/lint

format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/oudp/schemas \
		$(DESTDIR)$(PREFIX)/share/doc/oudp
	install -m 755 $(B)/oudpd $(DESTDIR)$(PREFIX)/sbin/oudpd
	install -m 755 $(B)/oudp $(DESTDIR)$(PREFIX)/bin/oudp
	install -m 755 $(B)/oudp-connect $(DESTDIR)$(PREFIX)/bin/oudp-connect
	install -d $(DESTDIR)$(PREFIX)/share/oudp/connectors
	cp -R $(filter-out connectors/host,$(wildcard connectors/*)) $(DESTDIR)$(PREFIX)/share/oudp/connectors/
	cp -R schemas/. $(DESTDIR)$(PREFIX)/share/oudp/schemas/
	install -m 644 conf/*.conf conf/oudp-alerts.yml README.md CHANGES LICENSE $(DESTDIR)$(PREFIX)/share/doc/oudp/
	install -m 755 conf/check-oudp $(DESTDIR)$(PREFIX)/share/doc/oudp/
	for s in 1 5 7 8; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$$s; \
		install -m 644 man/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s/; \
	done

deb:
	@.ci/install build deb
	@conf/debian/build

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/oudpd $(DESTDIR)$(PREFIX)/bin/oudp $(DESTDIR)$(PREFIX)/bin/oudp-connect
	rm -rf $(DESTDIR)$(PREFIX)/share/oudp $(DESTDIR)$(PREFIX)/share/doc/oudp
	rm -f $(foreach m,$(wildcard man/*.?),$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))

clean:
	rm -rf build

help:
	@echo 'make              build build/$$(MODE)/oudpd, oudp and oudp-connect (MODE=release|asan|tsan|fuzz, V=1)'
	@echo 'make run          install what is missing, build, start the broker with a small demo city'
	@echo 'make check        install what the tests need and run them (under 5 minutes)'
	@echo 'make check-long   the long tests: 300 kills, fuzzing, random clients, soak'
	@echo 'make bench        benchmarks, beside Mosquitto on the same machine'
	@echo 'make bench-series the time series beside other stores; ARGS="-s 100 -d 3": a small city'
	@echo 'make lint         format, includes, manual pages, configuration sample'
	@echo 'make install      DESTDIR= PREFIX=/usr/local'
	@echo 'make deb          a Debian package in build/deb/'
	@echo 'make clean        remove build/'

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
