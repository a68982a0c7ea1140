// SPDX-License-Identifier: Apache-2.0
/*
 * The folder with a user's authority, and the command around it.
 */
#include "nsm-emu/pki.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/pem.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/commands.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/issuer.h"
#include "nsm-emu/random.h"
#include "tests/unit/certificates.h"

static void cleanup_issuerp(struct issuer **issuer)
{
	issuer_free(*issuer);
}

static void cleanup_folderp(char **folder)
{
	folder_remove(*folder);
}

#define cleanup_issuer __attribute__((cleanup(cleanup_issuerp)))
#define cleanup_folder __attribute__((cleanup(cleanup_folderp)))

static struct issuer *open_with(const char *folder, const char *seed)
{
	struct nsm_random *random = nsm_random_new(seed);
	struct issuer *issuer = NULL;
	struct ne_error err = { 0 };

	if (pki_open(&issuer, folder, random, &err))
		fail_msg("%s", err.text);
	nsm_random_free(random);
	return issuer;
}

static int try_open(const char *folder, struct ne_error *err)
{
	struct nsm_random *random = nsm_random_new(NULL);
	struct issuer *issuer = NULL;
	int r = pki_open(&issuer, folder, random, err);

	nsm_random_free(random);
	issuer_free(issuer);
	return r;
}

static void refuse(const char *folder, int code, const char *fragment)
{
	struct ne_error err = { 0 };

	assert_int_equal(try_open(folder, &err), -code);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, fragment))
		fail_msg("\"%s\" lacks \"%s\"", err.text, fragment);
}

static mode_t mode_of(const char *folder, const char *name)
{
	cleanup_free char *path = folder_entry(folder, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static bool is_there(const char *folder, const char *name)
{
	cleanup_free char *path = folder_entry(folder, name);

	return access(path, F_OK) == 0;
}

static char *content_of(const char *folder, const char *name)
{
	cleanup_free char *path = folder_entry(folder, name);
	size_t size;

	return file_read(path, &size);
}

static void put(const char *folder, const char *name, const char *text)
{
	cleanup_free char *path = folder_entry(folder, name);

	file_write(path, text, strlen(text));
}

/* Entries whose names begin like this. */
static unsigned int count(const char *path, const char *prefix)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	unsigned int n = 0;

	while (folder && (entry = readdir(folder)))
		n += !strncmp(entry->d_name, prefix, strlen(prefix));
	if (folder)
		closedir(folder);
	return n;
}

static X509 *read_certificate(const char *folder, const char *name)
{
	cleanup_free char *text = content_of(folder, name);
	cleanup_bio BIO *bio = BIO_new_mem_buf(text, -1);

	return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

/* --- Where ------------------------------------------------------------------------ */

/* "nobody" has a home in the list of users that is not there. */
static bool is_homeless(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return !user || access(user->pw_dir, F_OK);
}

/* expected: NULL: below the home that the list of users has, if it has one */
static void check_default(const char *config, const char *home,
			  const char *expected)
{
	cleanup_free char *folder = NULL;

	config ? setenv("XDG_CONFIG_HOME", config, 1)
	       : unsetenv("XDG_CONFIG_HOME");
	home ? setenv("HOME", home, 1) : unsetenv("HOME");
	if (!expected && is_homeless()) {
		assert_int_equal(pki_default_folder(&folder, NULL), -ENOENT);
		return;
	}
	assert_int_equal(pki_default_folder(&folder, NULL), 0);
	if (expected)
		assert_string_equal(folder, expected);
	else
		assert_non_null(strstr(folder, "/.config/ne/pki"));
}

static void the_folder_is_the_users_configuration(void **state)
{
	cleanup_folder char *home = folder_new();
	cleanup_free char *folder = folder_entry(home, ".config/ne/pki");

	(void)state;
	check_default("/config", home, "/config/ne/pki");
	check_default(NULL, home, folder);
	check_default("", home, folder);
	check_default("relative", home, folder);
	check_default(NULL, NULL, NULL);
	check_default(NULL, "relative", NULL);
}

static void a_home_that_is_not_there_is_not_made(void **state)
{
	cleanup_folder char *above = folder_new();
	cleanup_free char *home = folder_entry(above, "me");

	(void)state;
	setenv("HOME", home, 1);
	unsetenv("XDG_CONFIG_HOME");
	refuse(NULL, ENOENT, "set XDG_CONFIG_HOME");
	assert_false(is_there(above, "me"));
}

static void the_users_root_is_made_at_first_use(void **state)
{
	cleanup_folder char *home = folder_new();
	cleanup_free char *folder = folder_entry(home, ".config/ne/pki");
	cleanup_issuer struct issuer *first = NULL, *second = NULL;

	(void)state;
	setenv("HOME", home, 1);
	unsetenv("XDG_CONFIG_HOME");
	first = open_with(NULL, NULL);
	assert_true(is_there(folder, "authority.pem"));
	second = open_with(NULL, NULL);
	assert_int_equal(X509_cmp(issuer_root(first), issuer_root(second)), 0);
}

/* --- Modes ------------------------------------------------------------------------ */

static void nobody_else_can_read_the_key(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		cleanup_folder char *above = folder_new();
		cleanup_free char *folder = folder_entry(above, "a/b/pki");
		cleanup_issuer struct issuer *issuer = NULL;
		mode_t before = umask(masks[i]);

		issuer = open_with(folder, NULL);
		umask(before);
		assert_int_equal(mode_of(above, "a"), 0700);
		assert_int_equal(mode_of(above, "a/b/pki"), 0700);
		assert_int_equal(mode_of(folder, "authority.pem"), 0600);
		assert_int_equal(mode_of(folder, "root.pem"), 0644);
	}
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0660, 0610, 0644 };
	cleanup_folder char *folder = folder_new();
	cleanup_free char *path = folder_entry(folder, "authority.pem");

	(void)state;
	assert_int_equal(try_open(folder, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		refuse(folder, EACCES, "run: chmod 600 ");
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(try_open(folder, NULL), 0);
}

static void the_root_for_verifiers_has_no_key_in_it(void **state)
{
	cleanup_folder char *folder = folder_new();
	cleanup_issuer struct issuer *issuer = open_with(folder, NULL);
	cleanup_x509 X509 *root = read_certificate(folder, "root.pem");
	cleanup_free char *text = content_of(folder, "root.pem");

	(void)state;
	assert_int_equal(X509_cmp(root, issuer_root(issuer)), 0);
	assert_null(strstr(text, "KEY"));
}

/* --- Damage ----------------------------------------------------------------------- */

static void a_damaged_authority_is_refused_and_left_alone(void **state)
{
	cleanup_folder char *folder = folder_new();
	cleanup_free char *whole = NULL;
	size_t size;

	(void)state;
	assert_int_equal(try_open(folder, NULL), 0);
	whole = content_of(folder, "authority.pem");
	size = strlen(whole);
	/* Cut short anywhere but in the last newline. */
	for (size_t cut = 0; cut + 1 < size; cut += 1 + cut % 7) {
		cleanup_free char *part = strndup(whole, cut);
		cleanup_free char *after = NULL;

		put(folder, "authority.pem", part);
		refuse(folder, EBADMSG, "nsm-emu pki create --force");
		after = content_of(folder, "authority.pem");
		assert_string_equal(after, part);
	}
	put(folder, "authority.pem", whole);
	assert_int_equal(try_open(folder, NULL), 0);
}

static void no_changed_letter_makes_another_authority(void **state)
{
	cleanup_folder char *folder = folder_new();
	cleanup_issuer struct issuer *issuer = open_with(folder, NULL);
	cleanup_free char *whole = content_of(folder, "authority.pem");
	unsigned int refused = 0;

	(void)state;
	for (size_t at = 0; at < strlen(whole); at += 13) {
		cleanup_free char *changed = strdup(whole);
		cleanup_issuer struct issuer *found = NULL;
		struct ne_error err = { 0 };

		changed[at] = changed[at] == 'A' ? 'B' : 'A';
		put(folder, "authority.pem", changed);
		if (pki_load(&found, folder, false, &err)) {
			assert_int_equal(err.code, EBADMSG);
			refused++;
		} else {
			assert_int_equal(X509_cmp(issuer_root(found),
						  issuer_root(issuer)),
					 0);
		}
	}
	assert_true(refused > 50);
}

static void a_root_without_its_authority_is_no_empty_folder(void **state)
{
	cleanup_folder char *home = folder_new();
	cleanup_free char *folder = folder_entry(home, "ne/pki");
	cleanup_free char *path = folder_entry(folder, "authority.pem");
	cleanup_issuer struct issuer *issuer = NULL;

	(void)state;
	setenv("XDG_CONFIG_HOME", home, 1);
	issuer = open_with(NULL, NULL);
	assert_int_equal(unlink(path), 0);
	refuse(NULL, ENOTEMPTY, "authority.pem, is not");
	refuse(folder, ENOTEMPTY, "other files are");
	assert_false(is_there(folder, "authority.pem"));
}

static void what_a_killed_writer_has_left_goes_away(void **state)
{
	cleanup_folder char *folder = folder_new();
	cleanup_issuer struct issuer *issuer = NULL;

	(void)state;
	put(folder, ".new.a1B2c3", "-----BEGIN PRIVATE KEY-----");
	issuer = open_with(folder, NULL);
	assert_true(is_there(folder, "authority.pem"));
	assert_int_equal(count(folder, ".new."), 0);
}

static void a_folder_with_other_things_in_it_is_refused(void **state)
{
	cleanup_folder char *folder = folder_new();

	(void)state;
	put(folder, "letter.txt", "Dear Alice");
	refuse(folder, ENOTEMPTY, "name an empty folder");
	assert_false(is_there(folder, "authority.pem"));
	assert_false(is_there(folder, ".lock"));
}

static void what_is_no_folder_is_refused(void **state)
{
	cleanup_folder char *folder = folder_new();
	cleanup_free char *file = folder_entry(folder, "file");
	cleanup_free char *below = folder_entry(folder, "file/pki");
	cleanup_free char *fifo = folder_entry(folder, "authority.pem");

	(void)state;
	put(folder, "file", "");
	refuse(file, ENOTDIR, "file");
	refuse(below, ENOTDIR, "file");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refuse(folder, EINVAL, "no regular file");
}

static void a_lost_root_for_verifiers_comes_back(void **state)
{
	cleanup_folder char *folder = folder_new();
	cleanup_free char *path = folder_entry(folder, "root.pem");
	cleanup_issuer struct issuer *issuer = open_with(folder, NULL);
	cleanup_x509 X509 *root = NULL, *again = NULL;

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(try_open(folder, NULL), 0);
	root = read_certificate(folder, "root.pem");
	assert_int_equal(X509_cmp(root, issuer_root(issuer)), 0);
	put(folder, "root.pem", "somebody's notes\n");
	assert_int_equal(try_open(folder, NULL), 0);
	again = read_certificate(folder, "root.pem");
	assert_int_equal(X509_cmp(again, issuer_root(issuer)), 0);
	assert_int_equal(count(folder, "root.pem.old-"), 1);
}

/* --- Several at once --------------------------------------------------------------- */

#define PROCESSES 8

static void run_first_user(const char *folder, int to)
{
	unsigned char fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
	struct nsm_random *random = nsm_random_new(NULL);
	struct issuer *issuer;

	if (pki_open(&issuer, folder, random, NULL) ||
	    certificate_fingerprint(issuer_root(issuer), fingerprint) ||
	    write(to, fingerprint, sizeof(fingerprint)) !=
		    (ssize_t)sizeof(fingerprint))
		_exit(1);
	_exit(0);
}

static void of_several_first_users_one_makes_the_root(void **state)
{
	unsigned char first[CERTIFICATE_FINGERPRINT_SIZE];
	unsigned char other[CERTIFICATE_FINGERPRINT_SIZE];

	(void)state;
	for (unsigned int round = 0; round < 10; round++) {
		cleanup_folder char *above = folder_new();
		cleanup_free char *folder = folder_entry(above, "ne/pki");
		int results[2], status;

		setenv("XDG_CONFIG_HOME", above, 1);
		assert_int_equal(pipe(results), 0);
		for (size_t i = 0; i < PROCESSES; i++)
			if (fork() == 0)
				run_first_user(round % 2 ? folder : NULL,
					       results[1]);
		close(results[1]);
		for (size_t i = 0; i < PROCESSES; i++) {
			assert_true(wait(&status) > 0);
			assert_int_equal(status, 0);
			assert_int_equal(read(results[0], i ? other : first,
					      sizeof(first)),
					 sizeof(first));
			if (i)
				assert_memory_equal(first, other,
						    sizeof(first));
		}
		close(results[0]);
		assert_int_equal(count(folder, "root.pem"), 1);
		assert_int_equal(count(folder, ".new."), 0);
	}
}

/* --- The command -------------------------------------------------------------------- */

/* Runs it with these arguments; what it writes is for free(). */
static int run(char **output, const char *folder, const char *const *words)
{
	cleanup_free char *path = NULL;
	char *argv[16] = { (char *)"nsm-emu" };
	int argc = 1, status;
	size_t size;
	pid_t pid;

	assert_true(asprintf(&path, "%s.output", folder) > 0);
	for (; *words; words++)
		argv[argc++] = (char *)*words;
	argv[argc++] = (char *)"--folder";
	argv[argc++] = (char *)folder;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		close(fd);
		status = command_pki(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	*output = file_read(path, &size);
	return WEXITSTATUS(status);
}

static void expect(const char *folder, int status, const char *fragment,
		   const char *const *words)
{
	cleanup_free char *output = NULL;
	int result = run(&output, folder, words);

	if (result != status || !strstr(output, fragment))
		fail_msg("%s ended with %d and said: %s", words[0], result,
			 output);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A folder that is not there yet, in one that is. */
struct place {
	char *above;
	char *folder;
};

static void place_new(struct place *place)
{
	place->above = folder_new();
	place->folder = folder_entry(place->above, "pki");
}

static void cleanup_placep(struct place *place)
{
	folder_remove(place->above);
	free(place->folder);
}

#define cleanup_place __attribute__((cleanup(cleanup_placep)))

static void create_makes_a_root_but_only_once(void **state)
{
	cleanup_place struct place place;
	cleanup_free char *before = NULL, *after = NULL;

	(void)state;
	place_new(&place);
	expect(place.folder, 0, "CN=emulated.nitro-enclaves", WORDS("create"));
	before = content_of(place.folder, "authority.pem");
	expect(place.folder, 1, "there is an authority", WORDS("create"));
	after = content_of(place.folder, "authority.pem");
	assert_string_equal(before, after);
	expect(place.folder, 0, "root.pem.old-", WORDS("create", "--force"));
}

static void the_same_seed_makes_the_same_root_on_any_day(void **state)
{
	cleanup_place struct place one, two, three;
	cleanup_issuer struct issuer *opened = NULL;
	cleanup_x509 X509 *a = NULL, *b = NULL;

	(void)state;
	place_new(&one);
	place_new(&two);
	place_new(&three);
	expect(one.folder, 0, "who knows the seed has its key",
	       WORDS("create", "--seed", "a"));
	sleep(1);
	opened = open_with(two.folder, "a");
	expect(three.folder, 0, "root", WORDS("create", "--seed", "b"));
	a = read_certificate(one.folder, "root.pem");
	b = read_certificate(three.folder, "root.pem");
	assert_int_equal(X509_cmp(a, issuer_root(opened)), 0);
	assert_int_not_equal(X509_cmp(b, issuer_root(opened)), 0);
}

static void export_gives_verifiers_the_root(void **state)
{
	cleanup_place struct place place;
	cleanup_free char *output = NULL, *root = NULL, *file = NULL;
	cleanup_free char *path = NULL;

	(void)state;
	place_new(&place);
	expect(place.folder, 1, "make one with \"nsm-emu pki create\"",
	       WORDS("export"));
	expect(place.folder, 0, "", WORDS("create"));
	assert_int_equal(run(&output, place.folder, WORDS("export")), 0);
	root = content_of(place.folder, "root.pem");
	assert_string_equal(output, root);
	path = folder_entry(place.above, "exported.pem");
	expect(place.folder, 0, "", WORDS("export", "-o", path));
	file = content_of(place.above, "exported.pem");
	assert_string_equal(file, root);
	expect(place.folder, 1, "cannot write",
	       WORDS("export", "-o", "/nowhere/root.pem"));
}

static void show_says_what_there_is(void **state)
{
	cleanup_place struct place place;
	cleanup_free char *output = NULL;
	json_t *json, *chain;

	(void)state;
	place_new(&place);
	expect(place.folder, 1, "there is no authority", WORDS("show"));
	expect(place.folder, 0, "", WORDS("create", "--seed", "a"));
	expect(place.folder, 0, "from 2020-01-01T00:00:00Z to 2050-01-01T0",
	       WORDS("show"));
	assert_int_equal(run(&output, place.folder, WORDS("show", "--json")),
			 0);
	json = json_loads(output, 0, NULL);
	chain = json_object_get(json, "chain");
	assert_string_equal(json_string_value(json_object_get(json, "folder")),
			    place.folder);
	assert_int_equal(json_array_size(chain), 1);
	assert_string_equal(
		json_string_value(
			json_object_get(json_array_get(chain, 0), "subject")),
		"CN=emulated.nitro-enclaves,OU=Emulated,O=libne,C=ZZ");
	json_decref(json);
}

static void rotate_makes_another_root_and_keeps_the_old_one(void **state)
{
	cleanup_place struct place place;
	cleanup_free char *before = NULL, *after = NULL;
	cleanup_free char *path = NULL;

	(void)state;
	place_new(&place);
	expect(place.folder, 1, "there is no authority", WORDS("rotate"));
	expect(place.folder, 0, "", WORDS("create"));
	before = content_of(place.folder, "root.pem");
	expect(place.folder, 0, "documents made before now", WORDS("rotate"));
	after = content_of(place.folder, "root.pem");
	assert_string_not_equal(before, after);
	assert_int_equal(count(place.folder, "root.pem.old-"), 1);
	expect(place.folder, 0, "", WORDS("rotate"));
	expect(place.folder, 0, "", WORDS("rotate"));
	assert_int_equal(count(place.folder, "root.pem.old-"), 3);
	/* A key that was open to others is what one rotates for. */
	path = folder_entry(place.folder, "authority.pem");
	assert_int_equal(chmod(path, 0644), 0);
	expect(place.folder, 0, "", WORDS("rotate"));
	assert_int_equal(mode_of(place.folder, "authority.pem"), 0600);
}

static void an_imported_authority_is_replaced_only_by_force(void **state)
{
	cleanup_place struct place place;
	struct company root = company_usual("root", "P-384", NULL, -1);
	cleanup_free char *certificates = NULL, *key = NULL, *path = NULL;

	(void)state;
	place_new(&place);
	certificates = folder_entry(place.above, "ca.pem");
	key = folder_entry(place.above, "ca.key");
	company_write(&root, certificates);
	company_write_key(&root, key);
	expect(place.folder, 0, "", WORDS("create"));
	expect(place.folder, 1, "--force replaces it",
	       WORDS("import", "--ca-cert", certificates, "--ca-key", key));
	expect(place.folder, 0, "CN=root",
	       WORDS("import", "--force", "--ca-cert", certificates, "--ca-key",
		     key));
	expect(place.folder, 1, "one that was imported", WORDS("rotate"));
	/* Also when its key is open to others. */
	path = folder_entry(place.folder, "authority.pem");
	assert_int_equal(chmod(path, 0644), 0);
	expect(place.folder, 1, "one that was imported", WORDS("rotate"));
	assert_int_equal(chmod(path, 0600), 0);
	expect(place.folder, 0, "CN=root", WORDS("show"));
	expect(place.folder, 0, "CN=emulated.nitro-enclaves",
	       WORDS("rotate", "--force"));
	expect(place.folder, 0, "", WORDS("rotate"));
	company_free(&root);
}

static void a_root_that_cannot_be_read_is_not_replaced(void **state)
{
	cleanup_place struct place place;
	cleanup_free char *root = NULL, *before = NULL, *after = NULL;
	struct stat st;

	(void)state;
	place_new(&place);
	expect(place.folder, 0, "", WORDS("create"));
	before = content_of(place.folder, "authority.pem");
	root = folder_entry(place.folder, "root.pem");
	assert_int_equal(truncate(root, 100000), 0);
	expect(place.folder, 1, "move it away", WORDS("rotate"));
	after = content_of(place.folder, "authority.pem");
	assert_string_equal(before, after);
	assert_int_equal(try_open(place.folder, NULL), 0);
	assert_int_equal(stat(root, &st), 0);
	assert_int_equal(st.st_size, 100000);
	assert_int_equal(count(place.folder, "root.pem.old-"), 0);
	assert_int_equal(unlink(root), 0);
	expect(place.folder, 0, "", WORDS("rotate"));
}

static void what_is_damaged_is_replaced_only_by_force(void **state)
{
	cleanup_place struct place place;

	(void)state;
	place_new(&place);
	expect(place.folder, 0, "", WORDS("create"));
	put(place.folder, "authority.pem", "nothing");
	expect(place.folder, 1, "put a copy back", WORDS("show"));
	expect(place.folder, 1, "put a copy back", WORDS("rotate"));
	expect(place.folder, 1, "there is an authority", WORDS("create"));
	expect(place.folder, 0, "", WORDS("create", "--force"));
	assert_int_equal(try_open(place.folder, NULL), 0);
}

static void a_companys_authority_can_be_taken(void **state)
{
	cleanup_place struct place place;
	struct company root = company_usual("root", "RSA", NULL, -1);
	struct company below = company_usual("below", "P-256", &root, 1);
	cleanup_free char *certificates = NULL, *key = NULL;
	cleanup_issuer struct issuer *issuer = NULL;
	cleanup_x509 X509 *published = NULL;

	(void)state;
	place_new(&place);
	certificates = folder_entry(place.above, "ca.pem");
	key = folder_entry(place.above, "ca.key");
	company_write(&below, certificates);
	company_write_key(&below, key);
	expect(place.folder, 1, "is incomplete",
	       WORDS("import", "--ca-cert", certificates, "--ca-key", key));
	company_write(&root, certificates);
	expect(place.folder, 0, "CN=root",
	       WORDS("import", "--ca-cert", certificates, "--ca-key", key));
	expect(place.folder, 1, "there is an authority",
	       WORDS("create", "--ca-cert", certificates, "--ca-key", key));
	expect(place.folder, 0, "authority  CN=below", WORDS("show"));
	issuer = open_with(place.folder, NULL);
	assert_int_equal(issuer->n, 2);
	assert_int_equal(issuer->path_length, 1);
	assert_int_equal(
		X509_cmp(issuer->signer.certificate, below.certificate), 0);
	published = read_certificate(place.folder, "root.pem");
	assert_int_equal(X509_cmp(published, root.certificate), 0);
	company_free(&below);
	company_free(&root);
}

/* What cannot be copied is opened by its URI each time. */
static void a_key_with_a_uri_is_remembered_by_it(void **state)
{
	cleanup_place struct place place;
	cleanup_issuer struct issuer *made = NULL, *issuer = NULL;
	struct company root = company_usual("root", "P-384", NULL, -1);
	cleanup_free char *certificates = NULL, *key = NULL, *uri = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	place_new(&place);
	certificates = folder_entry(place.above, "ca.pem");
	key = folder_entry(place.above, "ca.key");
	assert_true(asprintf(&uri, "file:%s", key) > 0);
	company_write(&root, certificates);
	company_write_key(&root, key);
	/* The one scheme that OpenSSL always has. */
	assert_int_equal(issuer_open(&made, certificates, uri, false, NULL), 0);
	assert_int_equal(pki_store(made, place.folder, PKI_NEW, NULL, NULL), 0);
	text = content_of(place.folder, "authority.pem");
	assert_null(strstr(text, "PRIVATE KEY"));
	issuer = open_with(place.folder, NULL);
	assert_string_equal(issuer->key_uri, uri);
	expect(place.folder, 0, uri, WORDS("show"));
	assert_int_equal(unlink(key), 0);
	refuse(place.folder, EBADMSG, "cannot open the key file:");
	company_free(&root);
}

static void wrong_calls_are_told_apart_from_failures(void **state)
{
	static const struct {
		const char *words[6];
		const char *fragment;
	} calls[] = {
		{ { NULL }, "name one of" },
		{ { "create", "show" }, "name one of" },
		{ { "destroy" }, "there is no such action" },
		{ { "show", "--force" }, "does not take" },
		{ { "create", "--json" }, "does not take" },
		{ { "rotate", "--ca-cert", "a", "--ca-key", "b" },
		  "does not take" },
		{ { "import" }, "needs both" },
		{ { "create", "--ca-key", "b" }, "needs both" },
		{ { "create", "--frobnicate" }, "frobnicate" },
		{ { "create", "-o", "x" }, "does not take" },
	};
	cleanup_place struct place place;

	(void)state;
	place_new(&place);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		expect(place.folder, 2, calls[i].fragment, calls[i].words);
	expect(place.folder, 0, "Usage: nsm-emu pki create", WORDS("--help"));
	assert_int_equal(access(place.folder, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_folder_is_the_users_configuration),
		cmocka_unit_test(a_home_that_is_not_there_is_not_made),
		cmocka_unit_test(the_users_root_is_made_at_first_use),
		cmocka_unit_test(nobody_else_can_read_the_key),
		cmocka_unit_test(a_key_that_others_can_read_is_refused),
		cmocka_unit_test(the_root_for_verifiers_has_no_key_in_it),
		cmocka_unit_test(a_damaged_authority_is_refused_and_left_alone),
		cmocka_unit_test(no_changed_letter_makes_another_authority),
		cmocka_unit_test(
			a_root_without_its_authority_is_no_empty_folder),
		cmocka_unit_test(what_a_killed_writer_has_left_goes_away),
		cmocka_unit_test(a_folder_with_other_things_in_it_is_refused),
		cmocka_unit_test(what_is_no_folder_is_refused),
		cmocka_unit_test(a_lost_root_for_verifiers_comes_back),
		cmocka_unit_test(of_several_first_users_one_makes_the_root),
		cmocka_unit_test(create_makes_a_root_but_only_once),
		cmocka_unit_test(the_same_seed_makes_the_same_root_on_any_day),
		cmocka_unit_test(export_gives_verifiers_the_root),
		cmocka_unit_test(show_says_what_there_is),
		cmocka_unit_test(
			rotate_makes_another_root_and_keeps_the_old_one),
		cmocka_unit_test(
			an_imported_authority_is_replaced_only_by_force),
		cmocka_unit_test(a_root_that_cannot_be_read_is_not_replaced),
		cmocka_unit_test(what_is_damaged_is_replaced_only_by_force),
		cmocka_unit_test(a_companys_authority_can_be_taken),
		cmocka_unit_test(a_key_with_a_uri_is_remembered_by_it),
		cmocka_unit_test(wrong_calls_are_told_apart_from_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
