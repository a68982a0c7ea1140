// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "nsm-emu/module.h"
#include "nsm-emu/server.h"
#include "tests/unit/nsm_fixture.h"
#include "tests/unit/traced.h"

struct fixture {
	struct nsm_fixture nsm;
	struct loop *loop;
	struct nsm_server *server;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	nsm_fixture_set_up(&f->nsm);
	f->loop = loop_new();
	assert_non_null(f->loop);
	f->server = nsm_server_new(f->loop);
	assert_non_null(f->server);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	nsm_server_free(f->server);
	loop_free(f->loop);
	nsm_fixture_tear_down(&f->nsm);
	free(f);
	return 0;
}

/* A request, and what became of it. */
struct question {
	struct nsm_job job;
	bool deaf; /* the answer does not reach it */
	bool gone; /* it does not wait any more */
	bool answered;
	size_t size;
	uint8_t response[NSM_RESPONSE_MAX];
};

static bool answer(struct nsm_job *job, const uint8_t *response, size_t size)
{
	struct question *question = (struct question *)job;

	assert_false(question->answered);
	assert_true(size <= sizeof(question->response));
	question->answered = true;
	question->size = size;
	if (size)
		memcpy(question->response, response, size);
	return !question->deaf;
}

static bool is_waiting(struct nsm_job *job)
{
	return !((struct question *)job)->gone;
}

static void ask(struct fixture *f, struct question *question,
		const char *request, size_t size, bool at_once)
{
	question->job.answer = answer;
	question->job.is_waiting = is_waiting;
	question->answered = false;
	assert_int_equal(nsm_server_request(f->server, f->nsm.module, request,
					    size, &question->job),
			 at_once);
	assert_int_equal(question->answered, at_once);
}

#define ASK(f, question, request, at_once) \
	ask(f, question, request, sizeof(request) - 1, at_once)

static void assert_begins(const struct question *question, const char *start)
{
	assert_true(question->size >= strlen(start));
	assert_memory_equal(question->response, start, strlen(start));
}

static void what_is_quick_is_answered_at_once(void **state)
{
	struct fixture *f = *state;
	struct question question = { 0 };

	ASK(f, &question, NSM_DESCRIBE, true);
	assert_begins(&question, "\241kDescribeNSM");
	ASK(f, &question, "nonsense", true);
	assert_begins(&question, "\241eError");
	ASK(f, &question, "", true);
	assert_begins(&question, "\241eError");
}

static void a_document_comes_from_the_loop(void **state)
{
	struct fixture *f = *state;
	struct question question = { 0 };

	ASK(f, &question, NSM_ATTEST, false);
	run_until(f->loop, &question.answered);
	assert_begins(&question, "\241kAttestation");
	assert_true(question.size > 1000);
}

static void many_documents_all_come(void **state)
{
	enum { MANY = 50 };
	struct fixture *f = *state;
	struct question *questions = calloc(MANY, sizeof(*questions));

	assert_non_null(questions);
	for (int i = 0; i < MANY; i++)
		ASK(f, &questions[i], NSM_ATTEST, false);
	for (int i = 0; i < MANY; i++) {
		run_until(f->loop, &questions[i].answered);
		assert_begins(&questions[i], "\241kAttestation");
	}
	free(questions);
}

static void a_quick_request_passes_those_that_wait(void **state)
{
	struct fixture *f = *state;
	struct question documents[8] = { 0 }, quick = { 0 };

	for (size_t i = 0; i < 8; i++)
		ASK(f, &documents[i], NSM_ATTEST, false);
	ASK(f, &quick, NSM_DESCRIBE, true);
	for (size_t i = 0; i < 8; i++)
		run_until(f->loop, &documents[i].answered);
}

static void what_reached_nobody_has_not_happened(void **state)
{
	struct fixture *f = *state;
	struct question before = { 0 }, after = { 0 }, question = { 0 };

	ASK(f, &before, NSM_DESCRIBE_16, true);
	question.deaf = true;
	ASK(f, &question, NSM_EXTEND_16, true);
	assert_begins(&question, "\241iExtendPCR");
	ASK(f, &after, NSM_DESCRIBE_16, true);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.response, after.response, before.size);
	question.deaf = false;
	ASK(f, &question, NSM_EXTEND_16, true);
	ASK(f, &after, NSM_DESCRIBE_16, true);
	assert_memory_not_equal(before.response, after.response, before.size);
}

static void nothing_is_signed_for_those_who_have_gone(void **state)
{
	struct fixture *f = *state;
	struct question question = { .gone = true };

	ASK(f, &question, NSM_ATTEST, false);
	run_until(f->loop, &question.answered);
	assert_int_equal(question.size, 0);
}

static void a_document_outlives_its_module(void **state)
{
	struct fixture *f = *state;
	struct question question = { 0 };

	ASK(f, &question, NSM_ATTEST, false);
	nsm_module_free(f->nsm.module);
	f->nsm.module = NULL;
	run_until(f->loop, &question.answered);
	assert_begins(&question, "\241kAttestation");
}

static void what_is_cancelled_is_not_answered(void **state)
{
	enum { MANY = 10 };
	struct fixture *f = *state;
	struct question questions[MANY] = { 0 };

	for (size_t i = 0; i < MANY; i++)
		ASK(f, &questions[i], NSM_ATTEST, false);
	for (size_t i = 0; i < MANY; i++)
		if (i % 2 || !nsm_server_cancel(f->server, &questions[i].job))
			nsm_server_cancel_wait(f->server, &questions[i].job);
	run_for(f->loop, 50);
	for (size_t i = 0; i < MANY; i++)
		assert_false(questions[i].answered);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_quick_is_answered_at_once),
		TEST(a_document_comes_from_the_loop),
		TEST(many_documents_all_come),
		TEST(a_quick_request_passes_those_that_wait),
		TEST(what_reached_nobody_has_not_happened),
		TEST(nothing_is_signed_for_those_who_have_gone),
		TEST(a_document_outlives_its_module),
		TEST(what_is_cancelled_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
