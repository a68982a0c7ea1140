// SPDX-License-Identifier: Apache-2.0
/*
 * nsm-emu pki: the authority that a user's documents are signed under.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/certificate.h"
#include "nsm-emu/commands.h"
#include "nsm-emu/issuer.h"
#include "nsm-emu/pki.h"
#include "nsm-emu/random.h"
#include "plumbing/log.h"

#define EXIT_USAGE 2

static const char help[] =
	"Usage: nsm-emu pki create [--seed TEXT] [--force]\n"
	"       nsm-emu pki import --ca-cert FILE --ca-key KEY [--force]\n"
	"       nsm-emu pki show [--json]\n"
	"       nsm-emu pki export [-o FILE]\n"
	"       nsm-emu pki rotate [--seed TEXT] [--force]\n"
	"\n"
	"The authority that signs the certificates of emulated modules. It is made when\n"
	"it is first needed; verifiers need its root.\n"
	"\n"
	"  create              make a root, if there is none; with --ca-cert and --ca-key\n"
	"                      the same as import\n"
	"  import              take a company's root, or an intermediate, instead\n"
	"  show                say what there is\n"
	"  export              print the root's certificate, for verifiers\n"
	"  rotate              make another root; the old one's certificate is kept\n"
	"\n"
	"  --folder DIR        not in $XDG_CONFIG_HOME/ne/pki (~/.config/ne/pki)\n"
	"  --force             also if there is an authority already, or (rotate) if it is\n"
	"                      one that was imported; its root's certificate is kept\n"
	"  --seed TEXT         a root for tests, the same for the same text everywhere\n"
	"  --ca-cert FILE      certificates in PEM: the authority's and all above it\n"
	"  --ca-key KEY        its key: a file, which is copied, or a URI that OpenSSL has\n"
	"                      a provider for (pkcs11:...), which is remembered\n"
	"  --json              for programs\n"
	"  -o, --output FILE   not to standard output\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit status: 0; 1 if it failed; 2 if it was called wrongly.\n";

struct options {
	const char *folder; /* the user's own if no other is named */
	bool is_users_own;
	const char *seed;
	const char *ca_cert;
	const char *ca_key;
	const char *output;
	bool force;
	bool as_json;
};

static void cleanup_issuerp(struct issuer **issuer)
{
	issuer_free(*issuer);
}

#define cleanup_issuer __attribute__((cleanup(cleanup_issuerp)))

static void cleanup_randomp(struct nsm_random **random)
{
	nsm_random_free(*random);
}

#define cleanup_random __attribute__((cleanup(cleanup_randomp)))

/* --- What certificates say ------------------------------------------------------ */

/* In hexadecimal, with colons between bytes. */
#define FINGERPRINT_TEXT_SIZE (3 * CERTIFICATE_FINGERPRINT_SIZE)

struct facts {
	char *subject;
	char fingerprint[FINGERPRINT_TEXT_SIZE];
	char not_before[CERTIFICATE_TIME_SIZE];
	char not_after[CERTIFICATE_TIME_SIZE];
};

static void cleanup_factsp(struct facts *facts)
{
	free(facts->subject);
}

#define cleanup_facts __attribute__((cleanup(cleanup_factsp)))

static int read_facts(X509 *certificate, struct facts *facts,
		      struct ne_error *err)
{
	unsigned char digest[CERTIFICATE_FINGERPRINT_SIZE];
	int64_t not_before, not_after;

	facts->subject = certificate_subject(certificate);
	if (!facts->subject || certificate_fingerprint(certificate, digest) ||
	    certificate_validity(certificate, &not_before, &not_after))
		return ne_error_set(err, EIO, "cannot read a certificate");
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(facts->fingerprint + 3 * i, 4, "%02X%s", digest[i],
			 i + 1 < sizeof(digest) ? ":" : "");
	certificate_time_text(not_before, facts->not_before);
	certificate_time_text(not_after, facts->not_after);
	return 0;
}

/* --- create, import, rotate ------------------------------------------------------ */

static int new_root(struct issuer **issuer, const struct options *options,
		    struct ne_error *err)
{
	cleanup_random struct nsm_random *random =
		nsm_random_new(options->seed);

	if (!random)
		return ne_error_set(err, ENOMEM, "out of memory");
	return issuer_new_root(issuer, random, err);
}

static int new_issuer(struct issuer **issuer, const struct options *options,
		      struct ne_error *err)
{
	int r;

	if (!options->ca_cert)
		return new_root(issuer, options, err);
	r = issuer_open(issuer, options->ca_cert, options->ca_key, false, err);
	return r ? r : issuer_check_time(*issuer, time(NULL), err);
}

static int tell_stored(const struct issuer *issuer, const char *folder,
		       const char *old_root, struct ne_error *err)
{
	cleanup_facts struct facts facts = { 0 };
	const char *left_out = hierarchy_left_out(issuer->path_length);
	cleanup_free char *path = NULL;
	int r = read_facts(issuer_root(issuer), &facts, err);

	if (!r)
		r = pki_root_path(&path, folder, err);
	if (r)
		return r;
	printf("root       %s\n", facts.subject);
	printf("SHA-256    %s\n", facts.fingerprint);
	printf("verifiers  %s\n", path);
	if (left_out)
		printf("left out   %s: its path length leaves no room below it\n",
		       left_out);
	if (old_root)
		printf("old root   %s (documents made before now verify against it)\n",
		       old_root);
	return 0;
}

static int store(const struct options *options, enum pki_mode mode,
		 struct ne_error *err)
{
	cleanup_issuer struct issuer *issuer = NULL;
	cleanup_free char *old_root = NULL;
	int r = new_issuer(&issuer, options, err);

	if (!r)
		r = pki_store(issuer, options->folder, mode, &old_root, err);
	if (r)
		return r;
	if (options->seed)
		log_warn(
			"a root that comes from a seed is for tests: who knows the seed has its key");
	return tell_stored(issuer, options->folder, old_root, err);
}

static int create(const struct options *options, struct ne_error *err)
{
	return store(options, options->force ? PKI_REPLACE : PKI_NEW, err);
}

/* Of one that was imported the key may be nowhere else. */
static int check_own(const char *folder, struct ne_error *err)
{
	cleanup_issuer struct issuer *issuer = NULL;
	cleanup_free char *path = NULL;
	int r = pki_authority_path(&path, folder, err);

	if (!r)
		r = issuer_open(&issuer, path, path, false, err);
	if (!r && !issuer_is_own(issuer))
		r = ne_error_set(
			err, EEXIST,
			"the authority in %s is one that was imported; \"nsm-emu pki rotate --force\" puts a root of our own in its place, and its key is gone from there then",
			folder);
	return r;
}

/* A key that others could read is a reason to rotate; damage is none. */
static int rotate(const struct options *options, struct ne_error *err)
{
	cleanup_issuer struct issuer *issuer = NULL;
	int r = pki_load(&issuer, options->folder, false, err);

	if (r == -EACCES || !r)
		r = options->force ? 0 : check_own(options->folder, err);
	return r ? r : store(options, PKI_REPLACE, err);
}

/* --- show ------------------------------------------------------------------------- */

struct view {
	const struct issuer *issuer;
	const char *folder;
	char *authority_path;
	char *root_path;
};

static void cleanup_viewp(struct view *view)
{
	free(view->authority_path);
	free(view->root_path);
}

#define cleanup_view __attribute__((cleanup(cleanup_viewp)))

/* What is behind the question mark may be a PIN [RFC 7512, 2.4]. */
static int public_part(const char *uri)
{
	return (int)strcspn(uri, "?");
}

static int print_certificate(const char *what, X509 *certificate,
			     struct ne_error *err)
{
	cleanup_facts struct facts facts = { 0 };
	int r = read_facts(certificate, &facts, err);

	if (r)
		return r;
	printf("%-10s %s\n", what, facts.subject);
	printf("%-10s %s\n", "SHA-256", facts.fingerprint);
	printf("%-10s from %s to %s\n", "valid", facts.not_before,
	       facts.not_after);
	return 0;
}

static int print_for_people(const struct view *view, struct ne_error *err)
{
	const struct issuer *issuer = view->issuer;
	const char *uri = issuer->key_uri;
	int r = 0;

	for (size_t i = 0; i < issuer->n && !r; i++)
		r = print_certificate(i + 1 == issuer->n ? "root"
				      : i == 0		 ? "authority"
							 : "above it",
				      issuer->chain[i], err);
	if (r)
		return r;
	if (uri)
		printf("%-10s %.*s\n", "key", public_part(uri), uri);
	else
		printf("%-10s %s\n", "key", view->authority_path);
	printf("%-10s %s\n", "verifiers", view->root_path);
	return 0;
}

static json_t *certificate_to_json(X509 *certificate, struct ne_error *err)
{
	cleanup_facts struct facts facts = { 0 };

	if (read_facts(certificate, &facts, err))
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s}", "subject", facts.subject,
			 "sha256", facts.fingerprint, "not_before",
			 facts.not_before, "not_after", facts.not_after);
}

/* The issuer first, the root last. */
static json_t *chain_to_json(const struct issuer *issuer, struct ne_error *err)
{
	json_t *chain = json_array();

	for (size_t i = 0; i < issuer->n; i++)
		if (json_array_append_new(chain,
					  certificate_to_json(issuer->chain[i],
							      err))) {
			json_decref(chain);
			return NULL;
		}
	return chain;
}

static int print_json(const struct view *view, struct ne_error *err)
{
	const char *uri = view->issuer->key_uri;
	const char *key = uri ? uri : view->authority_path;
	json_t *json = json_pack("{s:s, s:s, s:s%, s:o}", "folder",
				 view->folder, "root_file", view->root_path,
				 "key", key, (size_t)public_part(key), "chain",
				 chain_to_json(view->issuer, err));
	int failed = !json || json_dumpf(json, stdout, JSON_INDENT(2));

	json_decref(json);
	if (failed)
		return err->code ? -err->code
				 : ne_error_set(err, ENOMEM, "out of memory");
	putchar('\n');
	return 0;
}

static int show(const struct options *options, struct ne_error *err)
{
	cleanup_issuer struct issuer *issuer = NULL;
	cleanup_view struct view view = { .folder = options->folder };
	int r = pki_load(&issuer, options->folder, false, err);

	if (!r)
		r = pki_authority_path(&view.authority_path, options->folder,
				       err);
	if (!r)
		r = pki_root_path(&view.root_path, options->folder, err);
	if (r)
		return r;
	view.issuer = issuer;
	return options->as_json ? print_json(&view, err)
				: print_for_people(&view, err);
}

/* --- export ------------------------------------------------------------------------ */

static int write_file(const char *path, const char *text, size_t size,
		      struct ne_error *err)
{
	cleanup_fclose FILE *file = fopen(path, "we");

	if (!file || fwrite(text, 1, size, file) != size || fflush(file))
		return ne_error_set(err, errno, "cannot write %s: %s", path,
				    ne_strerror(errno));
	return 0;
}

/* The user's own is made when it is first needed, and it is now. */
static int open_or_make(struct issuer **issuer, const struct options *options,
			struct ne_error *err)
{
	cleanup_random struct nsm_random *random = NULL;

	if (!options->is_users_own)
		return pki_load(issuer, options->folder, false, err);
	random = nsm_random_new(NULL);
	if (!random)
		return ne_error_set(err, ENOMEM, "out of memory");
	return pki_open(issuer, NULL, random, err);
}

static int export(const struct options *options, struct ne_error *err)
{
	cleanup_issuer struct issuer *issuer = NULL;
	cleanup_free char *text = NULL;
	size_t size;
	int r = open_or_make(&issuer, options, err);

	if (!r)
		r = issuer_print_certificate(issuer_root(issuer), &text, &size,
					     err);
	if (r)
		return r;
	if (options->output)
		return write_file(options->output, text, size, err);
	fwrite(text, 1, size, stdout);
	return 0;
}

/* --- Options ------------------------------------------------------------------------ */

enum {
	OPTION_FOLDER = 1024,
	OPTION_FORCE,
	OPTION_SEED,
	OPTION_CA_CERT,
	OPTION_CA_KEY,
	OPTION_JSON,
};

static const struct option long_options[] = {
	{ "folder", required_argument, NULL, OPTION_FOLDER },
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "ca-cert", required_argument, NULL, OPTION_CA_CERT },
	{ "ca-key", required_argument, NULL, OPTION_CA_KEY },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Which options an action takes, one bit each. */
enum {
	TAKES_SEED = 1,
	TAKES_CA = 2,
	TAKES_FORCE = 4,
	TAKES_JSON = 8,
	TAKES_OUTPUT = 16,
	NEEDS_CA = 32,
};

static const struct action {
	const char *name;
	unsigned int takes;
	int (*run)(const struct options *options, struct ne_error *err);
} actions[] = {
	{ "create", TAKES_SEED | TAKES_CA | TAKES_FORCE, create },
	{ "import", TAKES_CA | TAKES_FORCE | NEEDS_CA, create },
	{ "show", TAKES_JSON, show },
	{ "export", TAKES_OUTPUT, export },
	{ "rotate", TAKES_SEED | TAKES_FORCE, rotate },
};

/* False: no such option. */
static bool set_option(struct options *options, int option, const char *value)
{
	switch (option) {
	case OPTION_FOLDER:
		options->folder = value;
		return true;
	case OPTION_FORCE:
		options->force = true;
		return true;
	case OPTION_SEED:
		options->seed = value;
		return true;
	case OPTION_CA_CERT:
		options->ca_cert = value;
		return true;
	case OPTION_CA_KEY:
		options->ca_key = value;
		return true;
	case OPTION_JSON:
		options->as_json = true;
		return true;
	case 'o':
		options->output = value;
		return true;
	default:
		return false;
	}
}

static int misused(const char *action, const char *why)
{
	log_error("pki %s: %s; see nsm-emu pki --help", action, why);
	return -EINVAL;
}

static int check(const struct options *options, const struct action *action)
{
	const unsigned int takes = action->takes;

	if ((options->seed && !(takes & TAKES_SEED)) ||
	    (options->force && !(takes & TAKES_FORCE)) ||
	    ((options->ca_cert || options->ca_key) && !(takes & TAKES_CA)) ||
	    (options->as_json && !(takes & TAKES_JSON)) ||
	    (options->output && !(takes & TAKES_OUTPUT)))
		return misused(action->name,
			       "it does not take all of these options");
	if (!options->ca_cert != !options->ca_key ||
	    ((takes & NEEDS_CA) && !options->ca_cert))
		return misused(action->name,
			       "it needs both --ca-cert and --ca-key");
	if (options->ca_cert && options->seed)
		return misused(action->name,
			       "an authority of others comes from no seed");
	return 0;
}

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	misused(name, "there is no such action");
	return NULL;
}

/* 0: go on; 1: that was all (--help); -EINVAL. */
static int parse(struct options *options, const struct action **action,
		 int argc, char **argv)
{
	int option;

	optind = 0; /* from the start again, with the flags of this call */
	while ((option = getopt_long(argc, argv, "o:h", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (!set_option(options, option, optarg)) {
			log_error("see nsm-emu pki --help");
			return -EINVAL;
		}
	}
	if (argc - optind != 1) {
		log_error(
			"pki: name one of create, import, show, export, rotate; see nsm-emu pki --help");
		return -EINVAL;
	}
	*action = find_action(argv[optind]);
	return *action ? check(options, *action) : -EINVAL;
}

static int run(const struct action *action, struct options *options,
	       struct ne_error *err)
{
	cleanup_free char *folder = NULL;
	int r = options->folder ? 0 : pki_default_folder(&folder, err);

	if (r)
		return r;
	options->is_users_own = !options->folder;
	if (!options->folder)
		options->folder = folder;
	r = action->run(options, err);
	if (!r && (fflush(stdout) || ferror(stdout)))
		r = ne_error_set(err, EIO, "cannot write to standard output");
	return r;
}

int command_pki(int argc, char **argv)
{
	const struct action *action = NULL;
	struct options options = { 0 };
	struct ne_error err = { 0 };
	int r = parse(&options, &action, argc, argv);

	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	if (run(action, &options, &err)) {
		log_error("%s", err.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
