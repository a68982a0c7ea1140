// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/crypto.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/err.h>

#include <ne/error.h>

/* NULL: it gives none */
static const char *last_reason(void)
{
	const unsigned long error = ERR_peek_last_error();

	return ERR_SYSTEM_ERROR(error) ? ne_strerror(ERR_GET_REASON(error))
				       : ERR_reason_error_string(error);
}

int crypto_error(struct ne_error *err, int code, const char *format, ...)
{
	const char *reason = last_reason();
	char what[NE_ERROR_TEXT_SIZE / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	ERR_clear_error();
	return ne_error_set(err, code, "%s: %s", what,
			    reason ? reason : "OpenSSL does not say why");
}
