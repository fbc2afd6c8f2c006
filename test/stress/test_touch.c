/*
 * test_touch.c -- eight threads touch pages that are not there: not one wrong
 * byte, and each page filled once.
 *
 * All tests together are a million touches and more, for each trap.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "crowd.h"
#include "known.h"
#include "program.h"
#include "step.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static const size_t clusters[] = { PAGE, 4 * PAGE, 16 * PAGE, 512 * PAGE };
#define CLUSTERS 4

START_TEST(every_byte_is_right_and_each_page_is_filled_once)
{
	crowd_run(&scenes[_i / CLUSTERS], program_scaled(4500),
		  clusters[_i % CLUSTERS]);
}
END_TEST

/* -- With threads held up on the way ------------------------------------------- */

static enum lm_step slow_step;
static atomic_uint passages;

/* By count, so that what is slow is the same in every run of a sequence. */
static void hold_up(enum lm_step step, uintptr_t addr)
{
	struct timespec moment = { .tv_nsec = 30000 };

	(void)addr;
	if (step == slow_step && atomic_fetch_add(&passages, 1) % 3 == 0)
		lm_sys(SYS_nanosleep, &moment, NULL);
}

#define FAULT_STEPS (LM_STEP_WAIT + 1)

START_TEST(thread_held_up_at_any_step_does_no_harm)
{
	const struct scene *scene = &scenes[_i / FAULT_STEPS];
	bool direct = !scene->store;

	slow_step = (enum lm_step)(_i % FAULT_STEPS);
	atomic_store(&lm_step_hook, hold_up);
	crowd_run(scene, program_scaled(500), PAGE);
	atomic_store(&lm_step_hook, NULL);
	/* A direct area reads no store. Whether threads meet at all without
	 * being held up is chance. */
	if (slow_step == LM_STEP_WAIT || (direct && slow_step == LM_STEP_READ))
		return;
	ck_assert_uint_ge(atomic_load(&passages), program_scaled(500));
}
END_TEST

static void hold_up_everywhere(enum lm_step step, uintptr_t addr)
{
	struct timespec moment = { .tv_nsec = 20000 };

	(void)addr;
	if ((atomic_fetch_add(&passages, 1) + (unsigned)step) % 5 == 0)
		lm_sys(SYS_nanosleep, &moment, NULL);
	else if (atomic_load(&passages) % 2)
		lm_sys(SYS_sched_yield);
}

START_TEST(threads_held_up_at_every_step_do_no_harm)
{
	atomic_store(&lm_step_hook, hold_up_everywhere);
	crowd_run(&scenes[_i], program_scaled(600), 2 * PAGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("touch");
	TCase *touch = tcase_create("touch");

	tcase_set_timeout(touch, 120);
	tcase_add_loop_test(touch,
			    every_byte_is_right_and_each_page_is_filled_once, 0,
			    scene_count * CLUSTERS);
	tcase_add_loop_test(touch, thread_held_up_at_any_step_does_no_harm, 0,
			    scene_count * (int)FAULT_STEPS);
	tcase_add_loop_test(touch, threads_held_up_at_every_step_do_no_harm, 0,
			    scene_count);
	suite_add_tcase(suite, touch);
	return program_run(suite);
}
