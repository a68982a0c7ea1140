// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/boot.h"

#include <errno.h>
#include <string.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/factory.h"
#include "plumbing/log.h"

const char boot_help[] =
	"  --pcr N=HEX           register N (0 to 15) has these 96 digits\n"
	"  --eif IMAGE           measure an enclave image into PCR0, 1, 2 and 8\n"
	"  --debug               as if in debug mode: PCR0, 1 and 2 of the image are zero\n"
	"  -q, --quiet           no notice that this is an emulation\n"
	"  -v, --verbose         say more; twice: much more\n"
	"  -h, --help            this text";

/* --- Options ------------------------------------------------------------- */

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static bool parse_hex(const char *text, struct ne_pcr *pcr)
{
	if (strlen(text) != 2 * NE_PCR_SIZE)
		return false;
	for (size_t i = 0; i < NE_PCR_SIZE; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		pcr->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* One or two digits and what is behind the '='. */
static const char *parse_index(const char *text, unsigned int *index)
{
	*index = 0;
	for (int i = 0; i < 2 && *text >= '0' && *text <= '9'; i++)
		*index = *index * 10 + (unsigned int)(*text++ - '0');
	return *text == '=' ? text + 1 : NULL;
}

static int set_pcr(struct boot *boot, const char *value)
{
	unsigned int index;
	const char *hex = parse_index(value, &index);

	if (!hex || hex == value + 1 || index >= BOOT_PCRS ||
	    !parse_hex(hex, &boot->pcrs[index])) {
		log_error(
			"--pcr cannot be '%s': it is a register, 0 to %u, '=' and %u hexadecimal digits",
			value, BOOT_PCRS - 1, 2 * NE_PCR_SIZE);
		return -EINVAL;
	}
	boot->given |= UINT32_C(1) << index;
	return 0;
}

int boot_set_option(struct boot *boot, int option, const char *value)
{
	struct ne_error err = { 0 };
	int r;

	switch (option) {
	case BOOT_OPTION_PCR:
		return set_pcr(boot, value);
	case BOOT_OPTION_EIF:
		boot->eif = value;
		return 0;
	case BOOT_OPTION_DEBUG:
		boot->debug = true;
		return 0;
	case 'q':
		boot->quiet = true;
		return 0;
	case 'v':
		boot->verbose++;
		return 0;
	default:
		r = nsm_options_set(&boot->options, option, value, &err);
		if (r == -EINVAL)
			log_error("%s", err.text);
		return r;
	}
}

int boot_check(const struct boot *boot)
{
	struct ne_error err = { 0 };
	int r = nsm_options_check(&boot->options, &err);

	if (!r && boot->debug && !boot->eif)
		r = ne_error_set(&err, EINVAL, "--debug goes with --eif");
	if (r)
		log_error("%s", err.text);
	return r;
}

/* --- The module ---------------------------------------------------------- */

static void close_image(struct ne_eif **eif)
{
	ne_eif_close(*eif);
}

static int measure(const char *path, struct ne_eif_measurements *measurements,
		   struct ne_error *err)
{
	__attribute__((cleanup(close_image))) struct ne_eif *eif = NULL;
	int r = ne_eif_open(&eif, path, err);

	if (r)
		return r;
	r = ne_eif_measure(eif, measurements, err);
	return r ? ne_error_prefix(err, "%s", path) : 0;
}

static int set_registers(const struct boot *boot,
			 const struct nsm_factory *factory,
			 struct ne_pcr pcrs[NE_PCR_COUNT], struct ne_error *err)
{
	struct ne_eif_measurements measurements;
	int r = boot->eif ? measure(boot->eif, &measurements, err) : 0;

	if (r)
		return r;
	r = nsm_factory_registers(factory, boot->eif ? &measurements : NULL,
				  boot->debug, pcrs, err);
	for (size_t i = 0; i < BOOT_PCRS; i++)
		if (boot->given >> i & 1)
			pcrs[i] = boot->pcrs[i];
	return r;
}

int boot_module(const struct boot *boot, struct nsm_factory **factory,
		struct nsm_module **module, struct ne_error *err)
{
	const char *notice = nsm_options_notice(&boot->options);
	struct ne_pcr pcrs[NE_PCR_COUNT];
	int r = nsm_factory_new(factory, &boot->options, err);

	if (!r)
		r = set_registers(boot, *factory, pcrs, err);
	if (!r)
		r = nsm_factory_open(*factory, err);
	if (!r)
		r = nsm_factory_make(*factory, 0, pcrs, module, err);
	if (!r && notice && !boot->quiet)
		log_warn("%s", notice);
	return r;
}
