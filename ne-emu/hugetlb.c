// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * The caller waits inside mmap(2) for our answer. No answer can make the
 * kernel do the call with other arguments, so we become the thread's
 * debugger for a moment:
 *
 *	PTRACE_SEIZE, PTRACE_INTERRUPT	it shall stop
 *	answer: "to be restarted"	the kernel's own errno for interrupted
 *					calls; the thread leaves the call and
 *					stops on its way to do it again
 *	change the argument registers	no huge pages, a hole for an address
 *	PTRACE_SYSCALL, twice		it enters mmap, which is not trapped
 *					now, and leaves it
 *	restore the registers, detach	a syscall changes no argument
 *
 * All signals are blocked meanwhile, so that the thread does nothing else
 * in between. The address is a hole in its address space at a multiple of
 * the huge page's size (MAP_FIXED_NOREPLACE: another thread may be faster,
 * then the next hole is tried).
 *
 * Every wait for the thread is bounded. It may be killed at any moment: then
 * there is nothing left to do.
 */
#include "ne-emu/hugetlb.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/mman.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/mappings.h"
#include "plumbing/log.h"
#include "plumbing/trap.h"

#define MIB (UINT64_C(1) << 20)
#define HOLES_TRIED 8
/* Programs never see it: the kernel restarts what fails with it. */
#define KERNEL_ERESTARTSYS 512
#define FIRST_PAUSE_NS 10000
#define LAST_PAUSE_NS 1000000
#define MAX_WAIT_NS 2000000000ULL
/* Attempts in a row that find the caller elsewhere: it does not work here. */
#define MAX_VAIN 100

const struct trap_rule hugetlb_rule = {
	.nr = __NR_mmap,
	.arg = 3,
	.mask = MAP_HUGETLB,
	.value = MAP_HUGETLB,
};

/* --- What is asked for --------------------------------------------------- */

struct request {
	uint64_t address;
	uint64_t length;
	uint64_t flags;
	uint64_t page_size;
};

static bool read_number(const char *path, uint64_t *number)
{
	cleanup_fclose FILE *file = fopen(path, "re");

	return file && fscanf(file, "%" SCNu64, number) == 1;
}

static uint64_t default_page_size(void)
{
	cleanup_fclose FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Hugepagesize: %" SCNu64 " kB", &kib) == 1)
			return kib * 1024;
	return 2 * MIB;
}

static uint64_t requested_page_size(uint64_t flags)
{
	unsigned int log = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	return log ? 1ULL << log : default_page_size();
}

static uint64_t pool_number(uint64_t page_size, const char *name)
{
	char path[128];
	uint64_t number = 0;

	snprintf(path, sizeof(path),
		 "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/%s",
		 page_size / 1024, name);
	return read_number(path, &number) ? number : 0;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Would the kernel have this many huge pages? */
static bool host_has(uint64_t page_size, uint64_t pages)
{
	uint64_t available =
		difference(pool_number(page_size, "free_hugepages"),
			   pool_number(page_size, "resv_hugepages")) +
		difference(pool_number(page_size, "nr_overcommit_hugepages"),
			   pool_number(page_size, "surplus_hugepages"));

	return pages <= available;
}

/* What the kernel would refuse for other reasons it shall refuse. */
static bool can_be_replaced(const struct trap_call *call,
			    struct request *request)
{
	uint64_t size;

	*request = (struct request){ .address = call->args[0],
				     .length = call->args[1],
				     .flags = call->args[3] };
	if (!(request->flags & MAP_HUGETLB) ||
	    !(request->flags & MAP_ANONYMOUS))
		return false;
	size = requested_page_size(request->flags);
	if (size != 2 * MIB && size != 1024 * MIB)
		return false;
	if (request->length == 0 || request->length > UINT64_MAX / 2)
		return false;
	if ((request->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) &&
	    request->address % size)
		return false;
	request->page_size = size;
	request->length = (request->length + size - 1) & ~(size - 1);
	return true;
}

static uint64_t ordinary_flags(uint64_t flags)
{
	flags &= ~(uint64_t)(MAP_HUGETLB | MAP_POPULATE | MAP_LOCKED);
	flags &= ~((uint64_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT);
	return flags | MAP_NORESERVE;
}

/* --- Registers ----------------------------------------------------------- */

typedef struct user_regs_struct registers;

/*
 * What the architectures differ in. A thread that was interrupted in a
 * syscall has stopped on its way to do it again.
 *
 * prepare_restart(): changes its registers so that it enters that syscall
 *	when it goes on. False if it is not where we think it is.
 */
#if defined(__x86_64__)

#define SYSCALL_INSTRUCTION_SIZE 2

static bool prepare_restart(registers *regs, const struct trap_call *call)
{
	if (regs->orig_rax != (uint64_t)call->nr ||
	    (int64_t)regs->rax != -KERNEL_ERESTARTSYS ||
	    regs->rdi != call->args[0] || regs->rsi != call->args[1] ||
	    regs->r10 != call->args[3])
		return false;
	regs->rip -= SYSCALL_INSTRUCTION_SIZE;
	regs->rax = regs->orig_rax;
	/* The kernel would restart it once more. */
	regs->orig_rax = UINT64_MAX;
	return true;
}

static void set_arguments(registers *regs, uint64_t address, uint64_t length,
			  uint64_t flags)
{
	regs->rdi = address;
	regs->rsi = length;
	regs->r10 = flags;
}

static int64_t get_result(const registers *regs)
{
	return (int64_t)regs->rax;
}

/* As the syscall leaves them: its arguments unchanged. */
static void set_result(registers *regs, const struct trap_call *call,
		       int64_t result)
{
	set_arguments(regs, call->args[0], call->args[1], call->args[3]);
	regs->rax = (uint64_t)result;
}

#elif defined(__aarch64__)

/* The kernel prepares restarts before it lets a debugger look. */
static bool prepare_restart(registers *regs, const struct trap_call *call)
{
	return regs->regs[8] == (uint64_t)call->nr &&
	       regs->regs[0] == call->args[0] &&
	       regs->regs[1] == call->args[1] && regs->regs[3] == call->args[3];
}

static void set_arguments(registers *regs, uint64_t address, uint64_t length,
			  uint64_t flags)
{
	regs->regs[0] = address;
	regs->regs[1] = length;
	regs->regs[3] = flags;
}

static int64_t get_result(const registers *regs)
{
	return (int64_t)regs->regs[0];
}

static void set_result(registers *regs, const struct trap_call *call,
		       int64_t result)
{
	set_arguments(regs, (uint64_t)result, call->args[1], call->args[3]);
}

#else
#error "the registers of this architecture are missing here"
#endif

/* --- Being its debugger -------------------------------------------------- */

static int trace(int request, pid_t tid, uintptr_t address, void *data)
{
	return ptrace((enum __ptrace_request)request, tid, address, data) < 0
		       ? -errno
		       : 0;
}

static int get_registers(pid_t tid, registers *regs)
{
	struct iovec iov = { .iov_base = regs, .iov_len = sizeof(*regs) };

	return trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov);
}

static int set_registers(pid_t tid, registers *regs)
{
	struct iovec iov = { .iov_base = regs, .iov_len = sizeof(*regs) };

	return trace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov);
}

/* The process that we are the parent of: its end is for others to hear. */
static bool is_own_child(pid_t tid)
{
	cleanup_fclose FILE *file = NULL;
	char line[128];
	int process = -1, parent = -1;

	snprintf(line, sizeof(line), "/proc/%d/status", tid);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file)) {
		(void)!sscanf(line, "Tgid: %d", &process);
		(void)!sscanf(line, "PPid: %d", &parent);
	}
	return process == tid && parent == getpid();
}

/* What has become of the thread; it is still to be had. -ETIMEDOUT, -ESRCH. */
static int wait_for(pid_t tid, int events, siginfo_t *info)
{
	struct timespec pause = { .tv_nsec = FIRST_PAUSE_NS };
	uint64_t waited = 0;

	while (waited < MAX_WAIT_NS) {
		info->si_pid = 0;
		if (waitid(P_PID, (id_t)tid, info,
			   events | WNOWAIT | WNOHANG | __WALL))
			return -ESRCH;
		if (info->si_pid)
			return 0;
		nanosleep(&pause, NULL);
		waited += (uint64_t)pause.tv_nsec;
		if (pause.tv_nsec < LAST_PAUSE_NS)
			pause.tv_nsec *= 2;
	}
	return -ETIMEDOUT;
}

/* -ESRCH if it has died instead. */
static int wait_for_stop(pid_t tid)
{
	siginfo_t info;
	int r = wait_for(tid, WSTOPPED | WEXITED, &info);

	if (r)
		return r;
	if (info.si_code != CLD_TRAPPED)
		return -ESRCH;
	return waitid(P_PID, (id_t)tid, &info, WSTOPPED | WNOHANG | __WALL)
		       ? -ESRCH
		       : 0;
}

/*
 * A dead thread remains until its debugger has heard of it; our own child
 * until its parent has, which is us, elsewhere.
 */
static void let_go(pid_t tid)
{
	siginfo_t info;

	if (!trace(PTRACE_DETACH, tid, 0, NULL) ||
	    wait_for(tid, WEXITED, &info) || is_own_child(tid))
		return;
	waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
}

/* One syscall with these registers; they are then as it left them. */
static int run_syscall(pid_t tid, registers *regs)
{
	int r = set_registers(tid, regs);

	/* In, and out. */
	for (int stop = 0; stop < 2 && !r; stop++) {
		r = trace(PTRACE_SYSCALL, tid, 0, NULL);
		if (!r)
			r = wait_for_stop(tid);
	}
	return r ? r : get_registers(tid, regs);
}

/* Maps it in the stopped thread, as if that had been its call. */
static int map(const struct trap_call *call, const struct request *request,
	       registers *regs)
{
	uint64_t flags = ordinary_flags(request->flags);
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	const registers restart = *regs;
	int r;

	for (int attempt = 0; attempt < HOLES_TRIED; attempt++) {
		uint64_t address = request->address;

		if (!fixed)
			address = mappings_find_hole(call->tid, request->length,
						     request->page_size);
		if (!fixed && !address)
			break;
		*regs = restart;
		set_arguments(regs, address, request->length,
			      fixed ? flags : flags | MAP_FIXED_NOREPLACE);
		r = run_syscall(call->tid, regs);
		if (r)
			return r;
		if (fixed || get_result(regs) != -EEXIST)
			break;
	}
	set_result(regs, call, get_result(regs));
	return set_registers(call->tid, regs);
}

/* -EAGAIN if it is not where it made the call. */
static int replace_stopped(const struct trap_call *call,
			   const struct request *request)
{
	uint64_t signals, all = UINT64_MAX;
	registers regs;
	int r = get_registers(call->tid, &regs);

	if (r)
		return r;
	if (!prepare_restart(&regs, call))
		return -EAGAIN;
	r = trace(PTRACE_GETSIGMASK, call->tid, sizeof(signals), &signals);
	if (!r)
		r = trace(PTRACE_SETSIGMASK, call->tid, sizeof(all), &all);
	if (r)
		return r;
	r = map(call, request, &regs);
	trace(PTRACE_SETSIGMASK, call->tid, sizeof(signals), &signals);
	return r;
}

/*
 * Consumes the call. 0 if the caller has its answer or is dead; else it makes
 * the same call again, or the kernel does it as it is.
 */
static int replace(struct trap_call *call, const struct request *request)
{
	const struct trap_call copy = *call;
	int r = trace(PTRACE_SEIZE, copy.tid, 0,
		      (void *)(uintptr_t)PTRACE_O_TRACESYSGOOD);

	/* Who is dying must not be debugged either. */
	if (r)
		return trap_continue(call) ? 0 : r;
	r = trace(PTRACE_INTERRUPT, copy.tid, 0, NULL);
	trap_fail(call, KERNEL_ERESTARTSYS);
	if (!r)
		r = wait_for_stop(copy.tid);
	if (!r)
		r = replace_stopped(&copy, request);
	let_go(copy.tid);
	return r == -ESRCH ? 0 : r;
}

/* --- The handler --------------------------------------------------------- */

static void explain(const struct request *request, int r)
{
	log_error(
		"a program asks for %" PRIu64 " huge pages of %" PRIu64
		" MiB, the host has fewer, and ordinary memory cannot be put in their place (%s); run: sysctl vm.nr_hugepages=%" PRIu64,
		request->length / request->page_size, request->page_size / MIB,
		ne_strerror(r), request->length / (2 * MIB));
}

bool hugetlb_call(struct trap_call *call)
{
	static bool explained;
	static unsigned int vain;
	struct request request;
	int r;

	if (call->nr != __NR_mmap || vain >= MAX_VAIN ||
	    !can_be_replaced(call, &request) ||
	    host_has(request.page_size, request.length / request.page_size))
		return false;
	if (!(request.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) &&
	    !mappings_find_hole(call->tid, request.length, request.page_size))
		return false;
	r = replace(call, &request);
	/* A signal was faster: the caller will be back. But not for ever. */
	vain = r == -EAGAIN ? vain + 1 : 0;
	if (r && (r != -EAGAIN || vain == MAX_VAIN) && !explained) {
		explain(&request, r);
		explained = true;
	}
	return true;
}
