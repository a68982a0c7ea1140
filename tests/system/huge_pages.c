// SPDX-License-Identifier: Apache-2.0
/*
 * A program that insists on huge pages where there are none; to be run under
 * ne-emu. It wants pages of 1 GiB, which hardly a host has, and touches few.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/mman.h>

#define GIB (1UL << 30)
#define HUGE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB)
#define PLACE ((char *)0x300000000000UL)
#define THREADS 8
#define ROUNDS 25

static unsigned int tests;
static bool failed;

static void ok(bool good, const char *name)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++tests, name);
	fflush(stdout);
	failed |= !good;
}

static char *map(char *at, size_t size, int flags)
{
	return mmap(at, size, PROT_READ | PROT_WRITE, flags, -1, 0);
}

static bool works(char *memory, size_t size)
{
	if (memory == MAP_FAILED || (uintptr_t)memory % GIB)
		return false;
	memory[0] = memory[size - 1] = 1;
	return !memory[size / 2] && !munmap(memory, size);
}

static void gives_memory(void)
{
	ok(works(map(NULL, GIB, HUGE), GIB),
	   "memory is there, aligned like a huge page");
	ok(works(map(NULL, 64 * GIB, HUGE), 64 * GIB),
	   "memory that nobody touches costs nothing");
	ok(works(map(NULL, 16 * GIB, HUGE | MAP_POPULATE), 16 * GIB),
	   "nor does memory that was asked for at once");
	ok(works(map(NULL, GIB, (HUGE & ~MAP_PRIVATE) | MAP_SHARED), GIB),
	   "memory may be shared");
	ok(works(map(NULL, GIB - 1, HUGE), GIB),
	   "an odd size is made a multiple of the page's");
}

static void keeps_addresses(void)
{
	ok(map(PLACE, GIB, HUGE | MAP_FIXED) == PLACE,
	   "a fixed address is that address");
	ok(map(PLACE, GIB, HUGE | MAP_FIXED_NOREPLACE) == MAP_FAILED &&
		   errno == EEXIST,
	   "what is mapped is not replaced by MAP_FIXED_NOREPLACE");
	ok(works(map(PLACE, GIB, HUGE | MAP_FIXED), GIB), "but by MAP_FIXED");
	ok(map(PLACE + 4096, GIB, HUGE | MAP_FIXED) == MAP_FAILED &&
		   errno == EINVAL,
	   "an address inside a huge page is EINVAL");
	ok(map(NULL, 0, HUGE) == MAP_FAILED && errno == EINVAL,
	   "no size is EINVAL");
	ok(map(NULL, 1UL << 52, HUGE) == MAP_FAILED && errno == ENOMEM,
	   "more than an address space is ENOMEM");
}

/* A syscall changes its result, and what the ABI says: nothing else. */
static void keeps_registers(void)
{
#ifdef __x86_64__
	register uintptr_t rdi __asm__("rdi") = 0;
	register uintptr_t rsi __asm__("rsi") = GIB;
	register uintptr_t rdx __asm__("rdx") = PROT_READ;
	register uintptr_t r10 __asm__("r10") = HUGE;
	register uintptr_t r8 __asm__("r8") = UINTPTR_MAX;
	register uintptr_t r9 __asm__("r9") = 0;
	register uintptr_t r12 __asm__("r12") = 12;
	uintptr_t rax = __NR_mmap;

	__asm__ volatile("syscall"
			 : "+a"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx),
			   "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12)
			 :
			 : "rcx", "r11", "memory");
	ok(rax % GIB == 0 && rdi == 0 && rsi == GIB && rdx == PROT_READ &&
		   r10 == HUGE && r8 == UINTPTR_MAX && r9 == 0 && r12 == 12,
	   "the arguments' registers are as they were");
#else
	register uintptr_t x0 __asm__("x0") = 0;
	register uintptr_t x1 __asm__("x1") = GIB;
	register uintptr_t x2 __asm__("x2") = PROT_READ;
	register uintptr_t x3 __asm__("x3") = HUGE;
	register uintptr_t x4 __asm__("x4") = UINTPTR_MAX;
	register uintptr_t x5 __asm__("x5") = 0;
	register uintptr_t x8 __asm__("x8") = __NR_mmap;

	__asm__ volatile("svc 0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4),
			   "+r"(x5), "+r"(x8)
			 :
			 : "memory");
	ok(x0 % GIB == 0 && x1 == GIB && x2 == PROT_READ && x3 == HUGE &&
		   x4 == UINTPTR_MAX && x5 == 0 && x8 == __NR_mmap,
	   "the arguments' registers are as they were");
#endif
}

static bool map_often(void)
{
	bool good = true;

	for (int i = 0; i < ROUNDS; i++)
		good &= works(map(NULL, GIB, HUGE), GIB);
	return good;
}

static void *run_thread(void *data)
{
	*(bool *)data = map_often();
	return NULL;
}

static void serves_threads(void)
{
	pthread_t threads[THREADS];
	bool good[THREADS] = { false };
	bool all = true;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, run_thread, &good[i]))
			return ok(false, "threads");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all &= good[i];
	}
	ok(all, "threads that map at once all get memory");
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	alarms++;
}

static void bears_signals(void)
{
	struct sigaction action = { .sa_handler = count_alarm,
				    .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 500 }, { 0, 500 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	sigset_t blocked;
	bool good;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	good = map_often() && map_often();
	setitimer(ITIMER_REAL, &never, NULL);
	ok(good && alarms > 0, "signals are no harm");
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	ok(!sigismember(&blocked, SIGALRM) && !sigismember(&blocked, SIGTERM),
	   "and none is blocked afterwards");
}

/* With two threads: both the leader's death and another's have to be seen. */
static _Noreturn void map_until_death(void)
{
	pthread_t thread;
	bool ignored;

	alarm(30);
	while (!pthread_create(&thread, NULL, run_thread, &ignored)) {
		map_often();
		pthread_join(thread, NULL);
	}
	_exit(1);
}

static void dies_at_any_moment(void)
{
	bool good = true;

	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			map_until_death();
		usleep(500 + (useconds_t)i * 97 % 3000);
		kill(child, SIGKILL);
		good &= waitpid(child, &status, 0) == child &&
			WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	}
	ok(good, "who is killed meanwhile is dead, and can be waited for");
}

int main(void)
{
	gives_memory();
	keeps_addresses();
	keeps_registers();
	serves_threads();
	bears_signals();
	dies_at_any_moment();
	printf("1..%u\n", tests);
	return failed;
}
