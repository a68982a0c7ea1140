// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/cmdline.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static char default_init[] = "/init";
static char home[] = "HOME=/";
static char term[] = "TERM=linux";

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * The next word, terminated, its quotes (which may stand anywhere in it)
 * taken out. NULL at the end.
 */
static char *next_word(char **rest)
{
	char *from = *rest, *to, *word;
	bool quoted = false;

	while (is_space(*from))
		from++;
	if (!*from)
		return NULL;
	word = to = from;
	for (; *from && (quoted || !is_space(*from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

int cmdline_parse(struct cmdline *cmdline, const char *text, size_t size)
{
	bool arguments = false;
	size_t n = 1;
	char *rest, *word;

	if (size > CMDLINE_MAX)
		return -E2BIG;
	memset(cmdline, 0, sizeof(*cmdline));
	memcpy(cmdline->text, text, size);
	cmdline->init = default_init;
	cmdline->envp[0] = home;
	cmdline->envp[1] = term;

	rest = cmdline->text;
	while ((word = next_word(&rest))) {
		if (arguments) {
			if (n <= CMDLINE_ARGS_MAX)
				cmdline->argv[n++] = word;
		} else if (strcmp(word, "--") == 0) {
			arguments = true;
		} else if (strncmp(word, "rdinit=", 7) == 0 && word[7]) {
			cmdline->init = word + 7;
		}
	}
	cmdline->argv[0] = (char *)cmdline->init;
	return 0;
}
