// SPDX-License-Identifier: Apache-2.0
/*
 * ne-init: PID 1 of an enclave.
 *
 * The order follows from what needs what: modules may be needed by /dev and
 * vsock; the parent hears that the enclave is up when all is ready but the
 * application, which it will hear about on the control channel.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "ne-init/config.h"
#include "ne-init/modules.h"
#include "ne-init/mounts.h"
#include "ne-init/network.h"
#include "ne-init/parent.h"
#include "ne-init/say.h"
#include "ne-init/supervise.h"

static const char usage[] =
	"usage: ne-init\n"
	"PID 1 inside an enclave: mounts file systems, brings the loopback\n"
	"interface up, tells the parent that the enclave has booted, runs what\n"
	"/cmd says and reports its exit status. See ne-init(8).\n";

static unsigned int run_application(const struct config *config,
				    struct parent *parent)
{
	if (!config->argv || !config->envp) {
		say("%s", config->why ? config->why : "out of memory");
		return 127;
	}
	return supervise(config->argv, config->envp, parent);
}

static void live(void)
{
	struct config config;
	struct parent parent;
	unsigned int status;

	supervise_block_signals();
	mounts_early();
	modules_load();
	config_read(&config);
	mounts_enter_rootfs();
	mounts_rest();
	network_bring_up();
	parent_greet(&parent);

	status = run_application(&config, &parent);
	parent_report_exit(&parent, status);
	/*
	 * Nothing to sync: an enclave has no disks. AWS's init ends a Nitro
	 * enclave by a restart, too, and the hypervisor takes that for the
	 * end; what a power-off does there is nowhere written.
	 */
	reboot(RB_AUTOBOOT);
	_exit((int)status);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (getpid() != 1) {
		/* Mounting things over a host's /dev would be a bad joke. */
		fprintf(stderr,
			"ne-init: I am PID 1 of an enclave and nothing else\n%s",
			usage);
		return 2;
	}
	live();
}
