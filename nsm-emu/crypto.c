// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/crypto.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/err.h>

#include <ne/error.h>

int crypto_error(struct ne_error *err, int code, const char *format, ...)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	char what[NE_ERROR_TEXT_SIZE / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	ERR_clear_error();
	return ne_error_set(err, code, "%s: %s", what,
			    reason ? reason : "OpenSSL does not say why");
}
