// SPDX-License-Identifier: Apache-2.0
/*
 * A client of /dev/nsm that knows nothing of libne: bare ioctls, no CBOR
 * library, static. For tests of what stands behind the device:
 *
 *	nsm_bare CASE [ARGUMENT]
 *
 * Exit status 0 if what the case is named for holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESPONSE_MAX 0x3000
#define PCR_SIZE 48

struct span {
	uint64_t address;
	uint64_t size;
};

struct raw {
	struct span request;
	struct span response;
};

#define NSM_COMMAND _IOWR(0x0a, 0, struct raw)

#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition)) {                                   \
			fprintf(stderr, "%s:%d: %s (%m)\n", __FILE__, \
				__LINE__, #condition);                \
			exit(1);                                      \
		}                                                     \
	} while (0)
#define CHECK_ERRNO(error, call) CHECK((call) == -1 && errno == (error))

static const char describe_nsm[] = "kDescribeNSM";
static const char get_random[] = "iGetRandom";
static const char attestation[] = "\241kAttestation\241enonceDabcd";

#define TEXT(request) (request), sizeof(request) - 1

static int nsm = -1;

static void open_device(int flags)
{
	nsm = open("/dev/nsm", flags);
	CHECK(nsm >= 0);
}

/* The ioctl itself: -1 and errno, or the response's size. */
static ssize_t ask_fd(int fd, const void *request, size_t size, void *response,
		      size_t room)
{
	struct raw raw = { { (uintptr_t)request, size },
			   { (uintptr_t)response, room } };

	return ioctl(fd, NSM_COMMAND, &raw) ? -1 : (ssize_t)raw.response.size;
}

static ssize_t ask(const void *request, size_t size, void *response)
{
	return ask_fd(nsm, request, size, response, RESPONSE_MAX);
}

static size_t write_index(uint8_t *to, unsigned int index)
{
	if (index < 24) {
		to[0] = (uint8_t)index;
		return 1;
	}
	to[0] = 0x18;
	to[1] = (uint8_t)index;
	return 2;
}

/* The register in a response to DescribePCR or ExtendPCR. */
static void take_pcr(const uint8_t *response, ssize_t size, uint8_t *pcr)
{
	const uint8_t *data = memmem(response, (size_t)size, "ddataX0", 7);

	CHECK(data && data + 7 + PCR_SIZE <= response + size);
	memcpy(pcr, data + 7, PCR_SIZE);
}

static void describe_pcr(unsigned int index, uint8_t *pcr)
{
	uint8_t request[32] = "\241kDescribePCR\241eindex";
	uint8_t response[RESPONSE_MAX];
	size_t size = 20 + write_index(request + 20, index);
	ssize_t n;

	do
		n = ask(request, size, response);
	while (n < 0 && errno == EINTR);
	CHECK(n > 0);
	take_pcr(response, n, pcr);
}

static void extend_pcr(unsigned int index, uint8_t byte, uint8_t *pcr)
{
	uint8_t request[48] = "\241iExtendPCR\242eindex";
	uint8_t response[RESPONSE_MAX];
	size_t size = 18 + write_index(request + 18, index);
	ssize_t n;

	memcpy(request + size, "ddataA", 6);
	request[size + 6] = byte;
	do
		n = ask(request, size + 7, response);
	while (n < 0 && errno == EINTR);
	CHECK(n > 0);
	take_pcr(response, n, pcr);
}

static void print_pcr(const uint8_t *pcr)
{
	for (size_t i = 0; i < PCR_SIZE; i++)
		printf("%02x", pcr[i]);
	putchar('\n');
}

static void check_describes(int fd)
{
	uint8_t response[RESPONSE_MAX];
	ssize_t n = ask_fd(fd, TEXT(describe_nsm), response, sizeof(response));

	CHECK(n > 13 && !memcmp(response, "\241kDescribeNSM", 13));
}

static void check_attests(void)
{
	uint8_t response[RESPONSE_MAX];
	ssize_t n = ask(TEXT(attestation), response);

	CHECK(n > 1000 && !memcmp(response, "\241kAttestation", 13));
}

/* --- Cases --------------------------------------------------------------- */

static void case_pcrs(const char *argument)
{
	uint8_t pcr[PCR_SIZE];

	(void)argument;
	open_device(O_RDWR);
	for (unsigned int i = 0; i < 32; i++) {
		describe_pcr(i, pcr);
		printf("PCR%u=", i);
		print_pcr(pcr);
	}
}

static void case_module_id(const char *argument)
{
	uint8_t response[RESPONSE_MAX];
	const uint8_t *id;
	ssize_t n;
	int length;

	(void)argument;
	open_device(O_RDWR);
	n = ask(TEXT(describe_nsm), response);
	CHECK(n > 0);
	id = memmem(response, (size_t)n, "imodule_id", 10);
	CHECK(id);
	id += 10;
	/* A text's length, in its first byte or behind it. */
	length = *id++ & 037;
	if (length == 24)
		length = *id++;
	CHECK(id + length <= response + n);
	printf("module_id=%.*s\n", length, id);
}

static void case_all_ways_of_opening(const char *argument)
{
	char path[64];
	struct stat st;
	int fd;

	(void)argument;
	open_device(O_RDONLY | O_CLOEXEC);
	check_describes(nsm);
	check_attests();
	open_device(O_RDWR);
	check_describes(nsm);
	open_device(O_WRONLY | O_NONBLOCK);
	check_describes(nsm);
	CHECK(fstat(nsm, &st) == 0 && (st.st_mode & 0777) == 0666);
	CHECK_ERRNO(EEXIST, open("/dev/nsm", O_RDWR | O_CREAT | O_EXCL, 0600));
	CHECK_ERRNO(ENOTDIR, open("/dev/nsm", O_RDONLY | O_DIRECTORY));
	CHECK(chdir("/dev") == 0);
	fd = openat(AT_FDCWD, "./nsm", O_RDWR);
	CHECK(fd >= 0);
	check_describes(fd);
	/* By name it may be trapped, and then there are none of these. */
	CHECK(open("/dev/nsm", O_PATH) >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", nsm);
	fd = open(path, O_PATH);
	CHECK(fd >= 0);
	CHECK_ERRNO(EBADF, ask_fd(fd, TEXT(get_random), NULL, 0));
}

static void case_attestation(const char *argument)
{
	(void)argument;
	open_device(O_RDWR);
	check_attests();
}

/* Its mistakes as the kernel's driver has them, in its order. */
static void case_errors_of_the_driver(const char *argument)
{
	uint8_t response[RESPONSE_MAX];
	uint8_t *none =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t large[0x1001] = { 0 };
	struct raw raw = { { (uintptr_t)none, 0x1001 },
			   { (uintptr_t)none, RESPONSE_MAX } };

	(void)argument;
	open_device(O_RDWR);
	CHECK(none != MAP_FAILED);
	CHECK_ERRNO(EINVAL, ioctl(nsm, _IOWR(0x0a, 1, struct raw), &raw));
	CHECK_ERRNO(EINVAL, ioctl(nsm, _IOWR(0x0a, 0, uint64_t), NULL));
	CHECK_ERRNO(EINVAL, ioctl(nsm, _IO(0x0a, 0), none));
	CHECK_ERRNO(EFAULT, ioctl(nsm, NSM_COMMAND, NULL));
	CHECK_ERRNO(EFAULT, ioctl(nsm, NSM_COMMAND, none));
	CHECK_ERRNO(EMSGSIZE, ioctl(nsm, NSM_COMMAND, &raw));
	raw.request.size = UINT64_MAX;
	CHECK_ERRNO(EMSGSIZE, ioctl(nsm, NSM_COMMAND, &raw));
	CHECK_ERRNO(EFAULT, ask(none, 1, response));
	CHECK_ERRNO(EFAULT, ask((void *)-1, 2, response));
	CHECK_ERRNO(EFAULT, ask(TEXT(get_random), none));
	CHECK_ERRNO(EFAULT, ask(TEXT(attestation), none));
	CHECK_ERRNO(EMSGSIZE, ask(large, sizeof(large), response));
	/* Others' commands are none of its business. */
	CHECK(ioctl(nsm, FIONBIO, &(int){ 0 }) == 0);
	CHECK_ERRNO(EBADF, ioctl(-1, NSM_COMMAND, &raw));
	CHECK_ERRNO(ENOTTY,
		    ioctl(open("/proc/self/exe", O_RDONLY), NSM_COMMAND, &raw));
}

static void case_errors_of_the_module(const char *argument)
{
	static const char invalid[] = "\241eErrorpInvalidOperation";
	uint8_t response[RESPONSE_MAX], request[0x1000] = { 0 };

	(void)argument;
	open_device(O_RDWR);
	CHECK(ask(NULL, 0, response) == sizeof(invalid) - 1);
	CHECK(!memcmp(response, invalid, sizeof(invalid) - 1));
	CHECK(ask(request, sizeof(request), response) == sizeof(invalid) - 1);
	CHECK(!memcmp(response, invalid, sizeof(invalid) - 1));
}

static void case_a_short_buffer_gets_the_start(const char *argument)
{
	uint8_t whole[RESPONSE_MAX], part[64];
	struct raw raw = { { (uintptr_t)describe_nsm,
			     sizeof(describe_nsm) - 1 },
			   { (uintptr_t)part, 20 } };
	struct raw before = raw;
	ssize_t n;

	(void)argument;
	open_device(O_RDWR);
	n = ask(TEXT(describe_nsm), whole);
	CHECK(n > 60);
	memset(part, 0x55, sizeof(part));
	CHECK(ioctl(nsm, NSM_COMMAND, &raw) == 0);
	CHECK(!memcmp(&raw, &before, sizeof(raw)));
	CHECK(!memcmp(part, whole, 20) && part[20] == 0x55);
	/* An attestation, too, and no buffer at all. */
	CHECK(ask_fd(nsm, TEXT(attestation), part, 30) == 30);
	CHECK(ask_fd(nsm, TEXT(attestation), NULL, 0) == 0);
	/* Room that is said to be there, and needs not be. */
	CHECK(ask_fd(nsm, TEXT(describe_nsm), whole, SIZE_MAX) == n);
}

/* Descriptors, wherever they have been. */

static int wait_for(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void case_duplicates_and_children(const char *argument)
{
	pid_t pid;

	(void)argument;
	open_device(O_RDWR);
	check_describes(dup(nsm));
	check_describes(fcntl(nsm, F_DUPFD_CLOEXEC, 100));
	pid = fork();
	if (pid == 0) {
		check_describes(nsm);
		check_attests();
		exit(0);
	}
	CHECK(wait_for(pid) == 0);
	pid = fork();
	if (pid == 0) {
		char number[16];

		snprintf(number, sizeof(number), "%d", nsm);
		execl("/proc/self/exe", "nsm_bare", "inherited", number, NULL);
		exit(1);
	}
	CHECK(wait_for(pid) == 0);
}

static void case_inherited(const char *argument)
{
	check_describes(atoi(argument));
}

static void send_descriptor(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = control, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	CHECK(sendmsg(socket, &message, 0) == 1);
}

static int receive_descriptor(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	CHECK(recvmsg(socket, &message, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void case_passed_to_another_process(const char *argument)
{
	int pair[2];
	pid_t pid;

	(void)argument;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid = fork();
	if (pid == 0) {
		nsm = receive_descriptor(pair[1]);
		check_describes(nsm);
		check_attests();
		exit(0);
	}
	open_device(O_RDWR);
	send_descriptor(pair[0], nsm);
	close(nsm);
	CHECK(wait_for(pid) == 0);
}

/* Threads. */

static void *attest_often(void *data)
{
	for (int i = *(int *)data; i > 0; i--)
		check_attests();
	return NULL;
}

static void case_many_threads(const char *argument)
{
	int n = atoi(argument), times = 3;
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	pthread_attr_t attributes;

	open_device(O_RDWR);
	CHECK(threads);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	for (int i = 0; i < n; i++)
		CHECK(pthread_create(&threads[i], &attributes, attest_often,
				     &times) == 0);
	for (int i = 0; i < n; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* A quick request does not wait until others' documents are signed. */
static void case_quick_ones_do_not_wait(const char *argument)
{
	pthread_t threads[32];
	int times = 20;
	struct timespec start, end;
	double seconds;
	uint8_t pcr[PCR_SIZE];

	(void)argument;
	open_device(O_RDWR);
	for (int i = 0; i < 32; i++)
		CHECK(pthread_create(&threads[i], NULL, attest_often, &times) ==
		      0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 20; i++)
		describe_pcr(0, pcr);
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (int i = 0; i < 32; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	seconds = (double)(end.tv_sec - start.tv_sec) +
		  (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	/* 20 turns behind 32 documents are half a second and more. */
	fprintf(stderr, "20 quick ones took %.1f ms\n", seconds * 1000);
	CHECK(seconds < 0.4);
}

/* Signals. */

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms = alarms + 1;
}

static void alarm_often(int flags, int microseconds)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval often = { { 0, microseconds }, { 0, microseconds } };

	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

#define EXTENSIONS 3000
/*
 * The kernel tells a supervisor that its answer was accepted and may, about
 * once in a thousand signals, let one have the caller all the same: then the
 * call is made again, and done twice. An emulator cannot help that.
 */
#define CROSSINGS_MAX (EXTENSIONS / 50)

/* Each extends once, however often it is interrupted. */
static void extend_under_fire(int flags, unsigned int quiet, unsigned int noisy)
{
	static uint8_t values[EXTENSIONS + CROSSINGS_MAX][PCR_SIZE];
	struct itimerval none = { 0 };
	uint8_t pcr[PCR_SIZE], after[PCR_SIZE];
	int crossings = 0;

	open_device(O_RDWR);
	for (int i = 0; i < EXTENSIONS + CROSSINGS_MAX; i++)
		extend_pcr(quiet, 'x', values[i]);
	alarms = 0;
	alarm_often(flags, 50);
	for (int i = 0; i < EXTENSIONS; i++)
		extend_pcr(noisy, 'x', pcr);
	setitimer(ITIMER_REAL, &none, NULL);
	describe_pcr(noisy, after);
	CHECK(!memcmp(after, pcr, PCR_SIZE));
	CHECK(alarms > 100);
	while (memcmp(values[EXTENSIONS - 1 + crossings], pcr, PCR_SIZE))
		CHECK(++crossings <= CROSSINGS_MAX);
	fprintf(stderr, "%d signals, %d crossings\n", (int)alarms, crossings);
}

static void case_signals_during_extend(const char *argument)
{
	(void)argument;
	extend_under_fire(SA_RESTART, 20, 21);
	extend_under_fire(0, 22, 23);
}

/* Signals come more often than a signature takes. */
static void case_signals_during_attestation(const char *argument)
{
	uint8_t response[RESPONSE_MAX];
	struct itimerval none = { 0 };
	int interrupted = 0;

	(void)argument;
	open_device(O_RDWR);
	alarm_often(SA_RESTART, 200);
	for (int i = 0; i < 20; i++)
		check_attests();
	alarm_often(0, 200);
	for (int i = 0; i < 20;)
		if (ask(TEXT(attestation), response) > 0)
			i++;
		else
			interrupted += errno == EINTR;
	setitimer(ITIMER_REAL, &none, NULL);
	fprintf(stderr, "%d times EINTR\n", interrupted);
	check_attests();
}

/* Killed in the middle of a request; the others go on. */
static void case_killed_callers(const char *argument)
{
	(void)argument;
	open_device(O_RDWR);
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				check_attests();
		usleep(3000);
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(wait_for(pid) == SIGKILL);
	}
	check_attests();
	check_describes(nsm);
}

static const struct {
	const char *name;
	void (*run)(const char *argument);
} cases[] = {
	{ "pcrs", case_pcrs },
	{ "module_id", case_module_id },
	{ "inherited", case_inherited },
	{ "attestation", case_attestation },
	{ "all_ways_of_opening", case_all_ways_of_opening },
	{ "errors_of_the_driver", case_errors_of_the_driver },
	{ "errors_of_the_module", case_errors_of_the_module },
	{ "a_short_buffer_gets_the_start", case_a_short_buffer_gets_the_start },
	{ "duplicates_and_children", case_duplicates_and_children },
	{ "passed_to_another_process", case_passed_to_another_process },
	{ "many_threads", case_many_threads },
	{ "quick_ones_do_not_wait", case_quick_ones_do_not_wait },
	{ "signals_during_extend", case_signals_during_extend },
	{ "signals_during_attestation", case_signals_during_attestation },
	{ "killed_callers", case_killed_callers },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]);
	     i++)
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run(argc > 2 ? argv[2] : "1");
			return 0;
		}
	fprintf(stderr, "usage: nsm_bare CASE [ARGUMENT]; cases:\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fprintf(stderr, "\t%s\n", cases[i].name);
	return 2;
}
