// SPDX-License-Identifier: Apache-2.0
/*
 * ne-attest request
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <ne/nsm.h>

#include "libne/cleanup.h"
#include "ne-attest/bytes.h"
#include "ne-attest/certificates.h"
#include "ne-attest/commands.h"

#define RANDOM_NONCE_SIZE 32

static const char usage[] =
	"Usage: ne-attest request [OPTION]... [-o FILE]\n"
	"\n"
	"Inside an enclave: get an attestation document from the NSM.\n"
	"\n"
	"  --nonce VALUE        what the verifier asked for, up to 512 bytes\n"
	"  --random-nonce       32 random bytes instead; told on standard error\n"
	"  --user-data VALUE    anything, up to 512 bytes\n"
	"  --public-key FILE    a key to encrypt for, PEM or DER\n"
	"  --device PATH        default: " NE_NSM_PATH "\n"
	"  -o, --output FILE    default: standard output, unless that is a\n"
	"                       terminal; -o - for that too\n"
	"  --base64             one line of text instead of bytes\n"
	"  -h, --help           this text\n"
	"\n"
	"VALUE is HEX, text:TEXT, base64:TEXT or @FILE.\n";

struct options {
	const char *nonce;
	bool random_nonce;
	const char *user_data;
	const char *public_key;
	const char *device;
	const char *output;
	bool base64;
};

/* --- What goes into the document ------------------------------------------- */

struct fields {
	struct bytes nonce;
	struct bytes user_data;
	struct bytes public_key;
};

static void cleanup_fieldsp(struct fields *fields)
{
	bytes_free(&fields->nonce);
	bytes_free(&fields->user_data);
	bytes_free(&fields->public_key);
}

#define cleanup_fields __attribute__((cleanup(cleanup_fieldsp)))

/* The verifier has to know it, too. */
static int make_nonce(struct bytes *nonce, struct ne_error *err)
{
	cleanup_free char *hex = NULL;

	nonce->data = malloc(RANDOM_NONCE_SIZE);
	if (!nonce->data)
		return ne_error_set(err, ENOMEM, "out of memory");
	nonce->size = RANDOM_NONCE_SIZE;
	if (getrandom(nonce->data, RANDOM_NONCE_SIZE, 0) != RANDOM_NONCE_SIZE)
		return ne_error_set(err, EIO, "there are no random numbers");
	hex = bytes_to_hex(nonce->data, nonce->size);
	if (!hex)
		return ne_error_set(err, ENOMEM, "out of memory");
	fprintf(stderr, "nonce %s\n", hex);
	return 0;
}

static int read_option(struct bytes *bytes, const char *name, const char *value,
		       struct ne_error *err)
{
	int ret = value ? bytes_from_option(bytes, value, err) : 0;

	if (ret)
		ne_error_prefix(err, "%s", name);
	return ret;
}

static int read_fields(struct fields *fields, const struct options *options,
		       struct ne_error *err)
{
	int ret;

	if (options->random_nonce)
		ret = make_nonce(&fields->nonce, err);
	else
		ret = read_option(&fields->nonce, "--nonce", options->nonce,
				  err);
	if (!ret)
		ret = read_option(&fields->user_data, "--user-data",
				  options->user_data, err);
	if (!ret && options->public_key)
		ret = public_key_read(&fields->public_key, options->public_key,
				      err);
	return ret;
}

/* --- The document ----------------------------------------------------------- */

static int fetch(struct bytes *document, const struct options *options,
		 struct ne_error *err)
{
	cleanup_fields struct fields fields = { 0 };
	struct ne_nsm_attest_input input;
	cleanup_close int nsm = -1;
	int ret = read_fields(&fields, options, err);

	if (ret)
		return ret;
	input = (struct ne_nsm_attest_input){
		.user_data = fields.user_data.data,
		.user_data_size = fields.user_data.size,
		.nonce = fields.nonce.data,
		.nonce_size = fields.nonce.size,
		.public_key = fields.public_key.data,
		.public_key_size = fields.public_key.size,
	};
	nsm = ne_nsm_open(options->device, err);
	if (nsm < 0)
		return nsm;
	return ne_nsm_attest(nsm, &input, &document->data, &document->size,
			     err);
}

/* A line of text in place of the bytes. */
static int to_base64(struct bytes *document, struct ne_error *err)
{
	/* 4 for each 3, a newline, and OpenSSL's zero */
	struct bytes text = {
		.data = malloc((document->size + 2) / 3 * 4 + 2),
	};

	if (!text.data)
		return ne_error_set(err, ENOMEM, "out of memory");
	text.size = (size_t)EVP_EncodeBlock(text.data, document->data,
					    (int)document->size);
	text.data[text.size++] = '\n';
	bytes_free(document);
	*document = text;
	return 0;
}

static int write_file(const char *path, const struct bytes *document,
		      struct ne_error *err)
{
	cleanup_fclose FILE *file = fopen(path, "we");

	if (!file)
		return ne_error_set(err, errno, "cannot make %s: %s", path,
				    ne_strerror(errno));
	if (fwrite(document->data, 1, document->size, file) < document->size ||
	    fflush(file))
		return ne_error_set(err, errno, "cannot write to %s: %s", path,
				    ne_strerror(errno));
	return 0;
}

static int request(const struct options *options)
{
	cleanup_bytes struct bytes document = { 0 };
	struct ne_error err = { 0 };

	if (fetch(&document, options, &err) ||
	    (options->base64 && to_base64(&document, &err)))
		return report_failure(&err);
	if (!options->output || !strcmp(options->output, "-"))
		fwrite(document.data, 1, document.size, stdout);
	else if (write_file(options->output, &document, &err))
		return report_failure(&err);
	return EXIT_SUCCESS;
}

/* --- Options ---------------------------------------------------------------- */

/* -1: go on; else the exit status. */
static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "nonce", required_argument, NULL, 'n' },
		{ "random-nonce", no_argument, NULL, 'r' },
		{ "user-data", required_argument, NULL, 'u' },
		{ "public-key", required_argument, NULL, 'k' },
		{ "device", required_argument, NULL, 'd' },
		{ "output", required_argument, NULL, 'o' },
		{ "base64", no_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "o:h", long_options, NULL)) >=
	       0) {
		switch (option) {
		case 'n':
			options->nonce = optarg;
			break;
		case 'r':
			options->random_nonce = true;
			break;
		case 'u':
			options->user_data = optarg;
			break;
		case 'k':
			options->public_key = optarg;
			break;
		case 'd':
			options->device = optarg;
			break;
		case 'o':
			options->output = optarg;
			break;
		case 'b':
			options->base64 = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default: /* getopt has said why */
			fputs("see ne-attest request --help\n", stderr);
			return EXIT_TROUBLE;
		}
	}
	return -1;
}

int command_request(int argc, char **argv)
{
	struct options options = { 0 };
	int status = parse_options(&options, argc, argv);

	if (status >= 0)
		return status;
	if (optind < argc)
		return report_usage("request", "\"%s\" is no option",
				    argv[optind]);
	if (options.nonce && options.random_nonce)
		return report_usage("request",
				    "--nonce and --random-nonce exclude each "
				    "other");
	if (!options.output && !options.base64 && isatty(STDOUT_FILENO))
		return report_usage("request",
				    "the document is no text for a terminal: "
				    "use -o FILE or --base64, or -o - to "
				    "insist");
	return request(&options);
}
