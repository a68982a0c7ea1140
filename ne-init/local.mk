# SPDX-License-Identifier: Apache-2.0

pkglibexec_PROGRAMS += ne-init/ne-init
ne_init_ne_init_SOURCES = \
	%D%/config.c %D%/config.h \
	%D%/main.c \
	%D%/modules.c %D%/modules.h \
	%D%/mounts.c %D%/mounts.h \
	%D%/network.c %D%/network.h \
	%D%/parent.c %D%/parent.h \
	%D%/resolver.c \
	%D%/say.c %D%/say.h \
	%D%/supervise.c %D%/supervise.h \
	libne/heartbeat_lines.c
# It runs where there is nothing else, so it is static, and there can be no
# static program with the address sanitizer.
ne_init_ne_init_CFLAGS = $(WARN_CFLAGS) $(NL_CFLAGS) $(NL_ROUTE_CFLAGS) \
	-Os -ffunction-sections -fdata-sections
ne_init_ne_init_LDFLAGS = -all-static -Wl,--gc-sections
ne_init_ne_init_LDADD = $(NL_ROUTE_LIBS) $(NL_LIBS) -lpthread -lm
