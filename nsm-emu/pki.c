// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * All that counts is one file, authority.pem. It appears under its name by a
 * rename when it is complete and on disk, so readers need no lock, and what
 * they find is whole or damaged by somebody else: then it is left as it is,
 * and a human has to say what shall become of it.
 *
 * Writers hold a lock, and look again once they have it. root.pem is made from
 * authority.pem; whoever finds that it has another root (a writer has died in
 * between) sets the old one aside and makes it anew.
 */
#include "nsm-emu/pki.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/certificate.h"
#include "nsm-emu/issuer.h"
#include "nsm-emu/pem.h"
#include "nsm-emu/random.h"

#define AUTHORITY_FILE "authority.pem"
#define ROOT_FILE "root.pem"
#define LOCK_FILE ".lock"
#define TEMPORARY_FILE ".new.XXXXXX"
#define TEMPORARY_PREFIX ".new."

static void cleanup_issuerp(struct issuer **issuer)
{
	issuer_free(*issuer);
}

#define cleanup_issuer __attribute__((cleanup(cleanup_issuerp)))

/* A text that may hold a key. */
struct secret {
	char *text;
	size_t size;
};

static void cleanup_secretp(struct secret *secret)
{
	if (secret->text)
		OPENSSL_cleanse(secret->text, secret->size);
	free(secret->text);
}

#define cleanup_secret __attribute__((cleanup(cleanup_secretp)))

/* --- Names --------------------------------------------------------------------- */

static int join(char **path, const char *folder, const char *name,
		struct ne_error *err)
{
	if (asprintf(path, "%s/%s", folder, name) >= 0)
		return 0;
	*path = NULL;
	return ne_error_set(err, ENOMEM, "out of memory");
}

/* What helps where nothing can be written; behind a semicolon. */
#define ANOTHER_FOLDER                                                         \
	"set XDG_CONFIG_HOME to a folder that you may write to, or name one: " \
	"--pki FOLDER (of nsm-emu pki: --folder)"

/* A home that is not there is not ours to make. */
static int in_home(char **folder, const char *home, struct ne_error *err)
{
	if (access(home, F_OK) && (errno == ENOENT || errno == ENOTDIR))
		return ne_error_set(
			err, ENOENT,
			"cannot keep certificates in your home, %s, which is not there; " ANOTHER_FOLDER,
			home);
	return join(folder, home, ".config/ne/pki", err);
}

static int home_folder(char **folder, struct ne_error *err)
{
	const char *home = getenv("HOME");
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (home && home[0] == '/')
		return in_home(folder, home, err);
	if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) ||
	    !found || entry.pw_dir[0] != '/')
		return ne_error_set(
			err, ENOENT,
			"cannot tell where your folder for certificates is: you have no home; " ANOTHER_FOLDER);
	return in_home(folder, entry.pw_dir, err);
}

int pki_default_folder(char **folder, struct ne_error *err)
{
	const char *config = getenv("XDG_CONFIG_HOME");

	/* Relative ones are to be ignored, says the specification. */
	if (config && config[0] == '/')
		return join(folder, config, "ne/pki", err);
	return home_folder(folder, err);
}

int pki_authority_path(char **path, const char *folder, struct ne_error *err)
{
	return join(path, folder, AUTHORITY_FILE, err);
}

int pki_root_path(char **path, const char *folder, struct ne_error *err)
{
	return join(path, folder, ROOT_FILE, err);
}

/* --- Reading -------------------------------------------------------------------- */

static int check_mode(int fd, const char *path, struct ne_error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return ne_error_set(err, errno, "cannot read %s: %s", path,
				    ne_strerror(errno));
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return ne_error_set(
			err, EACCES,
			"the key in %s is open to others (mode %04o); run: chmod 600 %s; or, if somebody may have taken it: nsm-emu pki rotate",
			path, st.st_mode & 07777, path);
	if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
		return ne_error_set(
			err, EACCES,
			"the key in %s belongs to user %u; take a folder of your own",
			path, st.st_uid);
	return 0;
}

static int what_to_do(struct ne_error *err)
{
	struct ne_error why = { 0 };

	if (!err)
		return -EBADMSG;
	why = *err;
	return ne_error_set(
		err, EBADMSG,
		"%.300s; put a copy back, or make a new authority with \"nsm-emu pki create --force\"",
		why.text);
}

int pki_load(struct issuer **issuer, const char *folder, bool is_deterministic,
	     struct ne_error *err)
{
	cleanup_secret struct secret secret = { 0 };
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;
	int r = pki_authority_path(&path, folder, err);

	if (r)
		return r;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return ne_error_set(
			err, ENOENT,
			"there is no authority in %s; make one with \"nsm-emu pki create\"",
			folder);
	if (fd < 0)
		return ne_error_set(err, errno,
				    "cannot open %s: %s; " ANOTHER_FOLDER, path,
				    ne_strerror(errno));
	r = check_mode(fd, path, err);
	if (!r)
		r = pem_read_file(fd, path, &secret.text, &secret.size, err);
	if (!r)
		r = issuer_parse(issuer, secret.text, secret.size, path,
				 is_deterministic, err);
	return r == -EBADMSG ? what_to_do(err) : r;
}

/* --- The folder ------------------------------------------------------------------ */

/* For its owner, whatever his umask is. One that is there stays as it is. */
static int make_folder(const char *path, struct ne_error *err)
{
	if (mkdir(path, 0700) == 0) {
		if (fchmodat(AT_FDCWD, path, 0700, 0) == 0)
			return 0;
	} else if (errno == EEXIST || errno == EISDIR) {
		return 0;
	}
	return ne_error_set(err, errno,
			    "cannot make the folder %s: %s; " ANOTHER_FOLDER,
			    path, ne_strerror(errno));
}

static int make_folders(const char *path, struct ne_error *err)
{
	cleanup_free char *part = strdup(path);
	int r = 0;

	if (!part)
		return ne_error_set(err, ENOMEM, "out of memory");
	for (char *end = part; !r && *end; end++) {
		if (*end != '/' || end == part)
			continue;
		*end = '\0';
		if (access(part, F_OK))
			r = make_folder(part, err);
		*end = '/';
	}
	return r ? r : make_folder(path, err);
}

/* Returns a descriptor of the folder, which is made if need be. */
static int open_folder(const char *path, struct ne_error *err)
{
	int r = make_folders(path, err);
	int fd;

	if (r)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ne_error_set(err, errno, "cannot open the folder %s: %s",
				    path, ne_strerror(errno));
	return fd;
}

static bool is_temporary(const char *name)
{
	return !strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX));
}

/*
 * Takes away what a writer has left who was killed: with the lock held nobody
 * else writes.
 */
static void sweep(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!entries) {
		close_keeping_errno(fd);
		return;
	}
	while ((entry = readdir(entries)))
		if (is_temporary(entry->d_name))
			unlinkat(folder, entry->d_name, 0);
	closedir(entries);
}

/* Returns a descriptor that holds the folder's lock. */
static int lock_folder(int folder, const char *path, struct ne_error *err)
{
	cleanup_close int fd = openat(folder, LOCK_FILE,
				      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
				      0600);

	if (fd < 0)
		return ne_error_set(err, errno,
				    "cannot write to %s: %s; " ANOTHER_FOLDER,
				    path, ne_strerror(errno));
	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			return ne_error_set(err, errno, "cannot lock %s: %s",
					    path, ne_strerror(errno));
	sweep(folder);
	return take_fd(&fd);
}

static bool is_ours(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..") ||
	       !strcmp(name, LOCK_FILE) || is_temporary(name);
}

static int check_empty(const char *path, struct ne_error *err)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!folder)
		return errno == ENOENT
			       ? 0
			       : ne_error_set(err, errno,
					      "cannot open the folder %s: %s",
					      path, ne_strerror(errno));
	while (!r && (entry = readdir(folder)))
		if (!is_ours(entry->d_name))
			r = ne_error_set(
				err, ENOTEMPTY,
				"there is no authority in %s, but other files are; name an empty folder, or make one there with \"nsm-emu pki create\"",
				path);
	closedir(folder);
	return r;
}

/* --- Writing --------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t size)
{
	ssize_t n;

	for (; size > 0; size -= (size_t)n, text += n) {
		n = write(fd, text, size);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
	}
	return 0;
}

/* A file of a name that nobody has; name is a template for mkostemp(3). */
static int open_temporary(const char *folder, char **name, struct ne_error *err)
{
	int r = join(name, folder, TEMPORARY_FILE, err);
	int fd;

	if (r)
		return r;
	fd = mkostemp(*name, O_CLOEXEC);
	if (fd >= 0)
		return fd;
	r = errno;
	free(take_ptr(name));
	return ne_error_set(err, r, "cannot write to %s: %s", folder,
			    ne_strerror(r));
}

/* Complete and on disk, then under its name; the folder's sync is the caller's. */
static int write_file(const char *folder, const char *name, mode_t mode,
		      const char *text, size_t size, struct ne_error *err)
{
	cleanup_free char *temporary = NULL, *path = NULL;
	cleanup_close int fd = -1;
	int r = join(&path, folder, name, err);

	if (r)
		return r;
	fd = open_temporary(folder, &temporary, err);
	if (fd < 0)
		return take_fd(&fd);
	r = fchmod(fd, mode) ? -errno : write_all(fd, text, size);
	if (!r && (fsync(fd) || rename(temporary, path)))
		r = -errno;
	if (!r)
		return 0;
	unlink(temporary);
	return ne_error_set(err, -r, "cannot write %s: %s", path,
			    ne_strerror(r));
}

/* --- root.pem -------------------------------------------------------------------- */

static int unreadable(struct ne_error *err)
{
	struct ne_error why = { 0 };

	if (!err)
		return -EIO;
	why = *err;
	return ne_error_set(
		err, why.code,
		"%.300s; nobody but you can tell whether it is needed: move it away",
		why.text);
}

/* What root.pem holds; empty if it is not there. */
static int read_root(const char *folder, struct secret *root,
		     struct ne_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;
	int r = pki_root_path(&path, folder, err);

	if (r)
		return r;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		r = ne_error_set(err, errno, "cannot open %s: %s", path,
				 ne_strerror(errno));
	else
		r = pem_read_file(fd, path, &root->text, &root->size, err);
	return r ? unreadable(err) : 0;
}

/* So that nothing is written before a root.pem that would stand in the way. */
static int check_old_root(const char *folder, struct ne_error *err)
{
	cleanup_secret struct secret root = { 0 };

	return read_root(folder, &root, err);
}

/* The beginning of its digest tells one old root from another. */
static int old_name(const struct secret *root, char name[64])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(root->text, root->size, digest, NULL, EVP_sha256(),
			NULL))
		return -EIO;
	snprintf(name, 64, ROOT_FILE ".old-%02x%02x%02x%02x%02x%02x%02x%02x",
		 digest[0], digest[1], digest[2], digest[3], digest[4],
		 digest[5], digest[6], digest[7]);
	return 0;
}

static int set_aside(const char *folder, const struct secret *root, char **path,
		     struct ne_error *err)
{
	char name[64];
	int r;

	if (old_name(root, name))
		return ne_error_set(err, EIO, "cannot name the old root");
	r = join(path, folder, name, err);
	return r ? r
		 : write_file(folder, name, 0644, root->text, root->size, err);
}

static bool is_published(const struct secret *wanted, const struct secret *now)
{
	return now->text && now->size == wanted->size &&
	       !memcmp(now->text, wanted->text, now->size);
}

static int publish_root(const struct issuer *issuer, const char *folder,
			char **old_root, struct ne_error *err)
{
	cleanup_secret struct secret now = { 0 }, wanted = { 0 };
	cleanup_free char *old = NULL;
	int r = issuer_print_certificate(issuer_root(issuer), &wanted.text,
					 &wanted.size, err);

	if (!r)
		r = read_root(folder, &now, err);
	if (r)
		return r;
	if (is_published(&wanted, &now))
		return 0;
	if (now.size)
		r = set_aside(folder, &now, &old, err);
	if (!r)
		r = write_file(folder, ROOT_FILE, 0644, wanted.text,
			       wanted.size, err);
	if (!r && old_root)
		*old_root = take_ptr(&old);
	return r;
}

/* --- The authority ---------------------------------------------------------------- */

static int write_authority(const struct issuer *issuer, int fd,
			   const char *folder, char **old_root,
			   struct ne_error *err)
{
	cleanup_secret struct secret secret = { 0 };
	int r = issuer_print(issuer, &secret.text, &secret.size, err);

	if (!r)
		r = write_file(folder, AUTHORITY_FILE, 0600, secret.text,
			       secret.size, err);
	if (!r)
		r = publish_root(issuer, folder, old_root, err);
	if (!r && fsync(fd))
		r = ne_error_set(err, errno, "cannot write to %s: %s", folder,
				 ne_strerror(errno));
	return r;
}

static int check_none(int fd, const char *folder, struct ne_error *err)
{
	if (faccessat(fd, AUTHORITY_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return ne_error_set(
			err, EEXIST,
			"there is an authority in %s already; see it with \"nsm-emu pki show\"; --force replaces it, and its key is gone then",
			folder);
	return 0;
}

/* So that the root that is there now is set aside, and not an older one. */
static int republish(const char *folder, struct ne_error *err)
{
	cleanup_issuer struct issuer *issuer = NULL;

	if (pki_load(&issuer, folder, false, NULL))
		return 0; /* whatever is wrong with it, it shall go */
	return publish_root(issuer, folder, NULL, err);
}

int pki_store(const struct issuer *issuer, const char *folder,
	      enum pki_mode mode, char **old_root, struct ne_error *err)
{
	cleanup_close int fd = open_folder(folder, err);
	cleanup_close int lock = -1;
	int r;

	if (old_root)
		*old_root = NULL;
	if (fd < 0)
		return take_fd(&fd);
	lock = lock_folder(fd, folder, err);
	if (lock < 0)
		return take_fd(&lock);
	r = check_old_root(folder, err);
	if (!r)
		r = mode == PKI_NEW ? check_none(fd, folder, err)
				    : republish(folder, err);
	return r ? r : write_authority(issuer, fd, folder, old_root, err);
}

/*
 * The authority may be another one by now than the one that lacked its
 * root.pem. Where nothing can be written it is as good as it is.
 */
static void repair_root(const char *folder)
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int lock = fd < 0 ? -1 : lock_folder(fd, folder, NULL);

	if (lock >= 0 && !republish(folder, NULL))
		fsync(fd);
}

static void check_root(const struct issuer *issuer, const char *folder)
{
	cleanup_secret struct secret now = { 0 }, wanted = { 0 };

	if (!read_root(folder, &now, NULL) &&
	    !issuer_print_certificate(issuer_root(issuer), &wanted.text,
				      &wanted.size, NULL) &&
	    !is_published(&wanted, &now))
		repair_root(folder);
}

/* Somebody else may be faster; then his is the one. */
static int make_first(const char *folder, const struct nsm_random *random,
		      struct ne_error *err)
{
	cleanup_issuer struct issuer *issuer = NULL;
	int r = issuer_new_root(&issuer, random, err);

	if (!r)
		r = pki_store(issuer, folder, PKI_NEW, NULL, err);
	return r == -EEXIST ? 0 : r;
}

static int make_first_of_user(const char *folder, struct ne_error *err)
{
	struct nsm_random *random = nsm_random_new(NULL);
	int r;

	if (!random)
		return ne_error_set(err, ENOMEM, "out of memory");
	r = make_first(folder, random, err);
	nsm_random_free(random);
	return r;
}

/* A root without its key is half of an authority that somebody may miss. */
static int check_no_root(const char *folder, struct ne_error *err)
{
	cleanup_free char *path = NULL;
	int r = pki_root_path(&path, folder, err);

	if (!r && access(path, F_OK) == 0)
		return ne_error_set(
			err, ENOTEMPTY,
			"%s is there, but the authority that it is of, %s, is not; put that back, or make a new one with \"nsm-emu pki create\"",
			path, AUTHORITY_FILE);
	return r;
}

static int make(const char *folder, bool is_users,
		const struct nsm_random *random, struct ne_error *err)
{
	int r = is_users ? check_no_root(folder, err)
			 : check_empty(folder, err);

	if (r)
		return r;
	return is_users ? make_first_of_user(folder, err)
			: make_first(folder, random, err);
}

static int open_or_make(struct issuer **issuer, const char *folder,
			bool is_users, const struct nsm_random *random,
			struct ne_error *err)
{
	const bool is_seeded = nsm_random_is_seeded(random);
	int made, r = pki_load(issuer, folder, is_seeded, err);

	if (r != -ENOENT)
		return r;
	made = make(folder, is_users, random, err);
	/* What it found there may be the work of one who was faster. */
	if (made &&
	    (made != -ENOTEMPTY || pki_load(issuer, folder, is_seeded, NULL)))
		return made;
	return made ? 0 : pki_load(issuer, folder, is_seeded, err);
}

int pki_open(struct issuer **issuer, const char *folder,
	     const struct nsm_random *random, struct ne_error *err)
{
	cleanup_free char *users = NULL;
	int r = folder ? 0 : pki_default_folder(&users, err);

	if (!r)
		r = open_or_make(issuer, folder ? folder : users, !folder,
				 random, err);
	if (!r)
		check_root(*issuer, folder ? folder : users);
	return r;
}
