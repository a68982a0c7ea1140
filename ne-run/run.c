// SPDX-License-Identifier: Apache-2.0
#include "ne-run/run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include <ne/eif.h>
#include <ne/enclave.h>
#include <ne/error.h>
#include <ne/heartbeat.h>
#include <ne/vsock.h>

#include "libne/cleanup.h"
#include "ne-run/console.h"
#include "ne-run/control.h"
#include "ne-run/options.h"
#include "ne-run/report.h"
#include "ne-run/resources.h"

/*
 * Theory of operation
 *
 * Everything that can fail without anybody else having noticed comes first:
 * the enclave gets its memory, image and CPUs. Then it waits for its turn to
 * boot (see <ne/heartbeat.h>), is started, and gives its heartbeat. From then
 * on attend() looks after three descriptors: that of the enclave (has it
 * ended?), that of the control channel (what does its init say?) and one for
 * signals.
 *
 * Signals are blocked and read from a signalfd, which is also what cancels
 * every wait: whatever this is doing, the first signal ends an enclave that
 * has not booted; one that has is asked to end, and ended by the second.
 *
 * Nobody has to clean up after us. The enclave is our descriptor, and our
 * turn to boot is a lock on another: however this process ends, the kernel
 * closes both.
 */

/*
 * Who signals a whole process group reaches us more than once: directly, and
 * by way of those who started us and pass it on. That is one signal.
 */
#define ECHO_MILLISECONDS 200

/* How long after its end an enclave's last words may take. */
#define LAST_WORDS_MILLISECONDS 200

/* So long it waits for its turn to boot before it says so. */
#define PATIENCE_MILLISECONDS 2000

/* Each enclave that is before us may take its whole time. */
#define TURN_SECONDS 600

/*
 * nitro-cli gives 90 s for each begun 6 GiB of the image and 90 s for each
 * begun 100 GiB of memory (src/enclave_proc/resource_manager.rs,
 * calculate_necessary_timeout).
 */
#define BOOT_STEP_SECONDS 90
#define BOOT_STEP_IMAGE (UINT64_C(6) << 30)
#define BOOT_STEP_MEMORY (UINT64_C(100) << 30)

struct run {
	const struct run_spec *spec;
	struct ne_enclave *enclave;
	struct console *console;
	struct control control;
	int signals;	   /* a signalfd */
	int signal;	   /* the first one, or 0 */
	int64_t signalled; /* when it came */
	char id[64];	   /* empty until it is started */
	uint64_t cid;
	/* Why it ended, or why it could not be run. */
	char reason[NE_ERROR_TEXT_SIZE];
};

/* --- Signals ------------------------------------------------------------- */

/* A signal that is ignored from the start (nohup, a shell's &) stays so. */
static void add_signal(sigset_t *set, int number)
{
	struct sigaction action;

	if (sigaction(number, NULL, &action) == 0 &&
	    action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}

static int open_signals(struct ne_error *err)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	add_signal(&set, SIGINT);
	add_signal(&set, SIGTERM);
	add_signal(&set, SIGHUP);
	add_signal(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return ne_error_set(err, errno, "cannot wait for signals: %s",
				    ne_strerror(errno));
	return fd;
}

/* The number of a signal that has come, or 0. */
static int next_signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

/* --- Until it has booted ------------------------------------------------- */

static int make_enclave(struct run *run, struct ne_error *err)
{
	const struct run_spec *spec = run->spec;
	const struct options *options = spec->options;
	int rc;

	report_status("preparing the enclave");
	rc = ne_enclave_create(&run->enclave, spec->device, err);
	if (rc < 0)
		return rc;
	rc = ne_enclave_load(run->enclave, spec->resources->memory, spec->image,
			     err);
	if (rc < 0)
		return rc;
	if (options->n_cpu_ids)
		return ne_enclave_add_cpu_ids(run->enclave, options->cpu_ids,
					      options->n_cpu_ids, err);
	return ne_enclave_add_cpus(run->enclave, spec->resources->cpus, err);
}

static int wait_for_turn(struct run *run, struct ne_heartbeat **heartbeat,
			 struct ne_error *err)
{
	struct ne_wait wait = { .deadline = 0, .cancel = run->signals };
	int rc = ne_heartbeat_listen(heartbeat, run->spec->device, &wait, err);

	if (rc != -ETIMEDOUT)
		return rc;
	report_status("waiting for another enclave to boot");
	wait.deadline = ne_now() + PATIENCE_MILLISECONDS;
	rc = ne_heartbeat_listen(heartbeat, run->spec->device, &wait, err);
	if (rc != -ETIMEDOUT)
		return rc;
	report_say("waiting: %s", err->text);
	wait.deadline = ne_now() + TURN_SECONDS * 1000;
	return ne_heartbeat_listen(heartbeat, run->spec->device, &wait, err);
}

static uint64_t steps(uint64_t size, uint64_t step)
{
	return size / step + (size % step != 0);
}

static unsigned int boot_seconds(const struct run *run)
{
	if (run->spec->options->boot_timeout)
		return run->spec->options->boot_timeout;
	return BOOT_STEP_SECONDS *
	       (unsigned int)(steps(ne_eif_size(run->spec->image),
				    BOOT_STEP_IMAGE) +
			      steps(ne_enclave_memory(run->enclave),
				    BOOT_STEP_MEMORY));
}

static int start(struct run *run, struct ne_error *err)
{
	const struct options *options = run->spec->options;
	int rc = ne_enclave_start(run->enclave, options->cid,
				  options->debug ? NE_START_DEBUG : 0, err);

	if (rc < 0)
		return rc;
	run->cid = ne_enclave_cid(run->enclave);
	snprintf(run->id, sizeof(run->id), "%s", ne_enclave_id(run->enclave));
	if (!options->console)
		return 0;
	report_status_off();
	/* With --json stdout belongs to the events. */
	return console_start(&run->console, run->enclave,
			     options->json ? STDERR_FILENO : STDOUT_FILENO,
			     err);
}

/* An enclave that ended before it had booted: why? */
static int explain_end(struct run *run, struct ne_error *err)
{
	char reason[NE_ERROR_TEXT_SIZE / 2];
	bool has_reason = ne_enclave_end_reason(run->enclave, reason,
						sizeof(reason)) == 0;

	/* Where this is emulated it has not been checked yet. */
	if (ne_eif_check_crc(run->spec->image, err) < 0) {
		ne_error_prefix(err, "%s", run->spec->options->image);
		return -EBADMSG;
	}
	if (has_reason)
		return ne_error_set(err, ESHUTDOWN,
				    "the enclave ended before it had booted: "
				    "%s",
				    reason);
	return ne_error_set(err, ESHUTDOWN,
			    "the enclave ended before it had booted; look "
			    "with --debug --console");
}

/* Better words for what ne_heartbeat_accept() failed with. */
static int explain(struct run *run, int rc, unsigned int seconds,
		   struct ne_error *err)
{
	switch (-rc) {
	case ETIMEDOUT:
		return ne_error_set(err, ETIMEDOUT,
				    "no heartbeat within %u s: the image's "
				    "init has not connected to vsock port %d "
				    "of CID %d; look with --console, or give "
				    "--boot-timeout",
				    seconds, NE_VSOCK_PORT_HEARTBEAT,
				    NE_VSOCK_CID_PARENT);
	case ESHUTDOWN:
		return explain_end(run, err);
	default:
		return rc;
	}
}

static int wait_for_heartbeat(struct run *run, struct ne_heartbeat *heartbeat,
			      struct ne_error *err)
{
	unsigned int seconds = boot_seconds(run);
	struct ne_wait wait = {
		.deadline = ne_now() + (int64_t)seconds * 1000,
		.cancel = run->signals,
	};
	int rc;

	if (!run->console)
		report_status("booting, cid %" PRIu64, run->cid);
	rc = ne_heartbeat_accept(heartbeat, run->enclave, &wait, err);
	if (rc < 0)
		return explain(run, rc, seconds, err);
	control_init(&run->control, rc);
	return 0;
}

static int boot(struct run *run, struct ne_error *err)
{
	struct ne_heartbeat *heartbeat = NULL;
	int rc = make_enclave(run, err);

	if (rc == 0)
		rc = wait_for_turn(run, &heartbeat, err);
	if (rc == 0)
		rc = start(run, err);
	if (rc == 0)
		rc = wait_for_heartbeat(run, heartbeat, err);
	ne_heartbeat_free(heartbeat);
	if (rc == -ECANCELED)
		run->signal = next_signal(run);
	return rc;
}

/* --- From then on -------------------------------------------------------- */

/* False if the enclave is to be ended now. */
static bool handle_signal(struct run *run)
{
	int number = next_signal(run);

	if (number == 0)
		return true;
	if (run->signal && ne_now() - run->signalled < ECHO_MILLISECONDS)
		return true;
	if (run->signal) {
		report_detail("signal %d, the second: ending the enclave",
			      number);
		return false;
	}
	run->signal = number;
	run->signalled = ne_now();
	if (!control_signal(&run->control, number)) {
		report_detail("signal %d: ending the enclave", number);
		return false;
	}
	report_status("told the application to end; again to force it");
	return true;
}

/* Until it has ended, which is true, or is to be ended. */
static bool attend(struct run *run)
{
	struct pollfd fds[] = {
		{ .fd = ne_enclave_fd(run->enclave) },
		{ .fd = run->signals, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};

	for (;;) {
		fds[2].fd = run->control.fd;
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue; /* EINTR: a stop and a continue */
		if (fds[2].revents)
			control_receive(&run->control);
		if (fds[0].revents)
			return true;
		if (fds[1].revents && !handle_signal(run))
			return false;
	}
}

/* What its init reported may still be under way. */
static void hear_last_words(struct run *run)
{
	int64_t until = ne_now() + LAST_WORDS_MILLISECONDS;
	int64_t left = LAST_WORDS_MILLISECONDS;

	while (run->control.status < 0 && left > 0 &&
	       control_receive_for(&run->control, (int)left))
		left = until - ne_now();
}

/* What a shell would have said of such a status; "" for most. */
static const char *meaning_of(int status)
{
	static char text[96];

	if (status == 126)
		return ", as of a command that cannot be executed";
	if (status == 127)
		return ", as of a command that is not found";
	if (status <= 128 || status > 128 + SIGRTMAX)
		return "";
	snprintf(text, sizeof(text), ", as of one that signal %d ended (%s)",
		 status - 128, strsignal(status - 128));
	return text;
}

/* An application that never ran, or fell, had no say of its own. */
static bool needs_words(const struct run *run)
{
	return run->control.status < 0 ||
	       (run->control.status >= 126 && !run->signal);
}

static void find_reason(struct run *run)
{
	if (run->control.status >= 0)
		snprintf(run->reason, sizeof(run->reason),
			 "the application exited with status %d%s",
			 run->control.status, meaning_of(run->control.status));
	else if (ne_enclave_end_reason(run->enclave, run->reason,
				       sizeof(run->reason)) < 0)
		snprintf(run->reason, sizeof(run->reason), "the enclave ended");
}

static int exit_status(const struct run *run)
{
	if (run->control.status >= 0)
		return run->control.status;
	if (run->signal)
		return 128 + run->signal;
	return EXIT_OWN;
}

/* Returns false if it could not be, because nobody reads its console. */
static bool end_enclave(struct run *run, bool at_once)
{
	if (!console_finish(run->console, at_once))
		return false;
	run->console = NULL;
	ne_enclave_free(run->enclave);
	run->enclave = NULL;
	return true;
}

static void see_through(struct run *run)
{
	if (!attend(run)) {
		snprintf(run->reason, sizeof(run->reason), "ended by signal %d",
			 run->signal);
		end_enclave(run, true);
		return;
	}
	hear_last_words(run);
	find_reason(run);
	end_enclave(run, false);
	if (run->control.status < 0)
		report_say("no exit status was reported: %s", run->reason);
	else if (needs_words(run))
		report_say("%s%s", run->reason,
			   run->spec->options->console
				   ? ""
				   : "; look with --console");
	else
		report_detail("%s", run->reason);
}

static void tell_booted(const struct run *run)
{
	struct report_booted booted = {
		.name = run->spec->name,
		.id = run->id,
		.cid = run->cid,
		.memory = ne_enclave_memory(run->enclave),
		.milliseconds = ne_now() - run->spec->started,
	};

	booted.cpu_ids = ne_enclave_cpu_ids(run->enclave, &booted.n_cpus);
	report_booted(&booted);
}

static int tell_ended(const struct run *run)
{
	struct report_ended ended = {
		.name = run->spec->name,
		.id = run->id[0] ? run->id : NULL,
		.cid = run->cid,
		.exit_status = exit_status(run),
		.application_status = run->control.status,
		.reason = run->reason,
	};

	report_ended(&ended);
	return ended.exit_status;
}

static void give_up(struct run *run, const struct ne_error *err)
{
	if (run->signal) {
		snprintf(run->reason, sizeof(run->reason),
			 "ended by signal %d before it had booted",
			 run->signal);
		report_detail("%s", run->reason);
	} else {
		snprintf(run->reason, sizeof(run->reason), "%s", err->text);
		report_say("%s", err->text);
	}
	end_enclave(run, true);
}

int run_enclave(const struct run_spec *spec)
{
	struct run run = { .spec = spec };
	struct ne_error err = { 0 };

	control_init(&run.control, -1);
	run.signals = open_signals(&err);
	if (run.signals >= 0 && boot(&run, &err) == 0) {
		tell_booted(&run);
		see_through(&run);
	} else {
		give_up(&run, &err);
	}
	control_close(&run.control);
	close_keeping_errno(run.signals);
	return tell_ended(&run);
}
