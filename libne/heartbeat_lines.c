// SPDX-License-Identifier: Apache-2.0
/* Depends on nothing, so that an init can be linked with this file alone. */
#include <ne/heartbeat.h>

#include <string.h>

static const struct {
	const char *word;
	unsigned int least, most;
} words[] = {
	[NE_CONTROL_INIT] = { "ne-init ", 1, 999 },
	[NE_CONTROL_EXIT] = { "exit ", 0, 255 },
	[NE_CONTROL_SIGNAL] = { "signal ", 1, 64 },
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

/* Exactly one way to write a number: no sign, no leading zero, no blank. */
static bool parse_number(const char *text, size_t size, unsigned int *number)
{
	unsigned int value = 0;

	if (size == 0 || size > 3 || (size > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned int)(text[i] - '0');
	}
	*number = value;
	return true;
}

bool ne_control_parse(struct ne_control_line *line, const char *text,
		      size_t size)
{
	unsigned int number;
	size_t length;

	for (unsigned int i = NE_CONTROL_INIT; i < N_WORDS; i++) {
		length = strlen(words[i].word);
		if (size < length || memcmp(text, words[i].word, length) != 0)
			continue;
		if (!parse_number(text + length, size - length, &number) ||
		    number < words[i].least || number > words[i].most)
			return false;
		line->word = (enum ne_control_word)i;
		line->number = number;
		return true;
	}
	return false;
}

static size_t put_number(char *text, unsigned int number)
{
	size_t size = 0;

	if (number >= 100)
		text[size++] = (char)('0' + number / 100);
	if (number >= 10)
		text[size++] = (char)('0' + number / 10 % 10);
	text[size++] = (char)('0' + number % 10);
	return size;
}

size_t ne_control_format(char *text, const struct ne_control_line *line)
{
	size_t size;

	text[0] = '\0';
	if (line->word < NE_CONTROL_INIT || line->word >= N_WORDS ||
	    line->number < words[line->word].least ||
	    line->number > words[line->word].most)
		return 0;
	size = strlen(words[line->word].word);
	memcpy(text, words[line->word].word, size);
	size += put_number(text + size, line->number);
	text[size++] = '\n';
	text[size] = '\0';
	return size;
}

bool ne_control_read(struct ne_control_reader *reader, const char **bytes,
		     size_t *size, struct ne_control_line *line)
{
	while (*size > 0) {
		char byte = *(*bytes)++;
		size_t length = reader->size;
		bool skipped = reader->skipping;

		(*size)--;
		if (byte == '\n') {
			reader->size = 0;
			reader->skipping = false;
			if (!skipped &&
			    ne_control_parse(line, reader->text, length))
				return true;
		} else if (length == NE_CONTROL_LINE_MAX - 1) {
			reader->skipping = true;
		} else {
			reader->text[length] = byte;
			reader->size++;
		}
	}
	return false;
}
