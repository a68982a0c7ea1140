// SPDX-License-Identifier: Apache-2.0
/*
 * What the init of nitro-cli's images asks of its kernel.
 *
 * A stand-in for the init that AWS's image builder puts into every image: it
 * makes the same system calls in the same order, with the same arguments, and
 * dies where that one dies. An image around it boots where theirs boot:
 *
 *  1. all signals blocked; devtmpfs on /dev, of which only EBUSY is forgiven;
 *     stdin, stdout and stderr reopened on /dev/console
 *  2. finit_module() of nsm.ko in the root, if it is there, and its unlinking
 *  3. the heartbeat: 0xb7 to CID 3 port 9000, and back
 *  4. /env and /cmd read, a line each, and unlinked
 *  5. chdir and chroot to /rootfs; devtmpfs once more; proc, the links of
 *     /dev, tmpfs on /run, /tmp and /dev/shm, devpts, sysfs, a tmpfs on
 *     /sys/fs/cgroup and a cgroup v1 hierarchy there for every controller
 *     that /proc/cgroups lists as enabled; death if one of these fails
 *  6. the command in a session of its own; reaping until it ends
 *  7. reboot(RB_AUTOBOOT)
 *
 * It does not bring up `lo`, has no exit status to report, and dies with
 * errno for its status, which a kernel answers with a panic.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define MODULE "nsm.ko"
#define MAX_LINES 64

#define NO_DEV_SUID_EXEC (MS_NODEV | MS_NOSUID | MS_NOEXEC)

static void die(const char *what)
{
	int number = errno;

	perror(what);
	exit(number);
}

static void die_if(int failed, const char *what)
{
	if (failed)
		die(what);
}

/* --- 1 --------------------------------------------------------------------- */

static void mount_dev(void)
{
	if (mount("dev", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL) < 0) {
		int number = errno;

		perror("devtmpfs");
		if (number != EBUSY)
			exit(number);
	}
}

static void open_console(void)
{
	die_if(!freopen("/dev/console", "r", stdin), "stdin");
	die_if(!freopen("/dev/console", "w", stdout), "stdout");
	die_if(!freopen("/dev/console", "w", stderr), "stderr");
}

/* --- 2 and 3 ---------------------------------------------------------------- */

static void load_module(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return;
	die_if(fd < 0, MODULE);
	die_if(syscall(SYS_finit_module, fd, "", 0) < 0, "finit_module");
	die_if(close(fd) < 0, "close");
	if (unlink(MODULE) < 0)
		perror("unlink");
}

static void send_heartbeat(void)
{
	struct sockaddr_vm parent = {
		.svm_family = AF_VSOCK,
		.svm_cid = 3,
		.svm_port = 9000,
	};
	unsigned char beat = 0xb7;
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	die_if(fd < 0, "socket");
	die_if(connect(fd, (struct sockaddr *)&parent, sizeof(parent)) < 0,
	       "connect");
	die_if(write(fd, &beat, 1) != 1, "write");
	die_if(read(fd, &beat, 1) != 1, "read");
	die_if(beat != 0xb7, "heartbeat");
	die_if(close(fd) < 0, "close");
}

/* --- 4 ---------------------------------------------------------------------- */

/* The lines of the file, without their newlines, and a NULL. */
static char **read_lines(FILE *file, const char *path)
{
	static char *lines[2][MAX_LINES + 1];
	static int used;
	char **list = lines[used++];
	size_t count = 0;

	if (!file) {
		perror(path);
		return NULL;
	}
	while (count < MAX_LINES) {
		char *line = NULL;
		size_t size = 0;
		ssize_t length = getline(&line, &size, file);

		if (length < 0)
			break;
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		list[count++] = line;
	}
	fclose(file);
	return list;
}

/* --- 5 ---------------------------------------------------------------------- */

static void mount_or_die(const char *source, const char *target,
			 const char *type, unsigned long flags,
			 const char *data)
{
	die_if(mount(source, target, type, flags, data) < 0, target);
}

static void link_or_die(const char *path, const char *target)
{
	die_if(symlink(target, path) < 0 && errno != EEXIST, path);
}

static void make_or_die(const char *path)
{
	die_if(mkdir(path, 0755) < 0 && errno != EEXIST, path);
}

static void mount_the_rest(void)
{
	mount_or_die("proc", "/proc", "proc", NO_DEV_SUID_EXEC, NULL);
	link_or_die("/dev/fd", "/proc/self/fd");
	link_or_die("/dev/stdin", "/proc/self/fd/0");
	link_or_die("/dev/stdout", "/proc/self/fd/1");
	link_or_die("/dev/stderr", "/proc/self/fd/2");
	mount_or_die("tmpfs", "/run", "tmpfs", NO_DEV_SUID_EXEC, "mode=0755");
	mount_or_die("tmpfs", "/tmp", "tmpfs", NO_DEV_SUID_EXEC, NULL);
	make_or_die("/dev/shm");
	mount_or_die("shm", "/dev/shm", "tmpfs", NO_DEV_SUID_EXEC, NULL);
	make_or_die("/dev/pts");
	mount_or_die("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		     NULL);
	mount_or_die("sysfs", "/sys", "sysfs", NO_DEV_SUID_EXEC, NULL);
	mount_or_die("cgroup_root", "/sys/fs/cgroup", "tmpfs", NO_DEV_SUID_EXEC,
		     "mode=0755");
}

static void mount_controllers(void)
{
	FILE *file = fopen("/proc/cgroups", "r");
	char line[256];
	char name[64];
	char path[128];
	int enabled;

	die_if(!file || !fgets(line, sizeof(line), file), "/proc/cgroups");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %*d %*d %d", name, &enabled) != 2) {
			errno = EINVAL;
			die("/proc/cgroups");
		}
		if (!enabled)
			continue;
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
		die_if(mkdir(path, 0755) < 0, path);
		mount_or_die(name, path, "cgroup", NO_DEV_SUID_EXEC, name);
	}
	fclose(file);
}

/* --- 6 ---------------------------------------------------------------------- */

static pid_t launch(char **command, char **environment)
{
	static char path[] = "PATH=/sbin:/usr/sbin:/bin:/usr/bin";
	static char sh[] = "sh";
	static char *shell[] = { sh, NULL };
	static char *path_only[] = { path, NULL };
	sigset_t all;
	pid_t pid = fork();

	die_if(pid < 0, "fork");
	if (pid != 0)
		return pid;
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	setsid();
	setpgid(0, 0);
	die_if(putenv(path) != 0, "putenv");
	if (!command)
		command = shell;
	execvpe(command[0], command, environment ? environment : path_only);
	die(command[0]);
	return -1;
}

static void reap_until(pid_t pid)
{
	int status;
	pid_t ended;

	do {
		ended = wait(&status);
		die_if(ended < 0, "wait");
	} while (ended != pid);
	if (WIFSIGNALED(status))
		fprintf(stderr, "killed by signal %d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		fprintf(stderr, "exit status %d\n", WEXITSTATUS(status));
}

int main(void)
{
	char **environment;
	char **command;
	FILE *files[2];
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	mount_dev();
	open_console();
	load_module();
	send_heartbeat();
	files[0] = fopen("/env", "r");
	files[1] = fopen("/cmd", "r");
	environment = read_lines(files[0], "/env");
	command = read_lines(files[1], "/cmd");
	unlink("/env");
	unlink("/cmd");
	die_if(chdir("/rootfs") < 0, "chdir");
	die_if(chroot("/rootfs") < 0, "chroot");
	mount_dev();
	mount_the_rest();
	mount_controllers();
	reap_until(launch(command, environment));
	reboot(RB_AUTOBOOT);
	return 0;
}
