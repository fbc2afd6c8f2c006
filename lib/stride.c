/*
 * stride.c -- see stride.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stride.h"

#include "os.h"

#define PAGE ((intptr_t)LM_PAGE)
#define FIRST 2u /* steps */
/* So many equal distances make a stride, and one more for so many steps in vain. */
#define ENOUGH 4u
#define VAIN 4u
#define DOUBT_MAX 64u
/* It goes on within so many faults, and so many more for each step that was asked
 * for, or never: else random touches would, of one that was none. */
#define SOON 32u
#define FOR_A_STEP 8u
/* And it is forgotten so many times sooner. */
#define SOONER 4u

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, to) atomic_store_explicit(&(field), to, memory_order_relaxed)

/* Where a page is, seen from a stride. */
enum place {
	ELSEWHERE,
	BESIDE, /* next to a step that it has come to, or to one asked for */
	COME,   /* in one that it has come to, or that comes */
	ASKED,  /* in the first that was asked for */
	NEXT    /* in the one after all these */
};

struct spot {
	enum place place;
	uintptr_t at;  /* the step's first page */
	intptr_t from; /* that page */
};

static intptr_t size_of(intptr_t distance)
{
	return distance < 0 ? -distance : distance;
}

/* How many steps on is what lies so far from `at`, and how far from that step's
 * first page? What is less than a page before a step's pages is the step's. */
static intptr_t count_steps(const struct lm_stride *stride, intptr_t step,
			    intptr_t from_at, intptr_t *from)
{
	intptr_t margin = GET(stride->below) + PAGE, size = size_of(step);
	intptr_t n = (from_at + margin) / size,
		 rest = (from_at + margin) % size;

	if (rest < 0) {
		rest += size;
		n--;
	}
	*from = rest - margin;
	return step < 0 ? -n : n;
}

/* Most pages are far from most strides: that is seen without a division. */
static bool is_near(const struct lm_stride *stride, intptr_t step,
		    intptr_t from_at)
{
	intptr_t back = GET(stride->back), asked = GET(stride->asked);

	return step && size_of(from_at) <= (back + asked + 2) * size_of(step);
}

static struct spot spot_of(const struct lm_stride *stride, uintptr_t page)
{
	struct spot spot = { ELSEWHERE, 0, 0 };
	intptr_t from_at = (intptr_t)(page - GET(stride->at)), n;
	intptr_t below = GET(stride->below), above = GET(stride->above);
	intptr_t asked = GET(stride->asked), back = GET(stride->back);
	intptr_t step = GET(stride->step);
	bool in;

	if (!is_near(stride, step, from_at))
		return spot;
	n = count_steps(stride, step, from_at, &spot.from);
	spot.at = page - (uintptr_t)spot.from;
	in = spot.from >= -below && spot.from < above;
	if (n <= -back || n > asked + 1)
		return spot;
	if (in)
		spot.place = n == asked + 1 ? NEXT : n == 1 ? ASKED : COME;
	else if (n <= asked && spot.from <= above)
		spot.place = BESIDE;
	return spot;
}

/* Is it still waited for? */
static bool is_due(const struct lm_strides *strides,
		   const struct lm_stride *stride)
{
	uint32_t within = SOON + FOR_A_STEP * GET(stride->asked);

	return GET(strides->clock) - GET(stride->used) <= within;
}

static uint32_t enough(const struct lm_strides *strides)
{
	return ENOUGH + GET(strides->doubt) / VAIN;
}

/* There is room for one page more at a step. */
static bool may_grow(const struct lm_stride *stride)
{
	intptr_t width = GET(stride->below) + GET(stride->above) + PAGE;

	return width <= LM_STRIDE_WIDTH &&
	       width <= size_of(GET(stride->step)) / 2;
}

static bool is_on(const struct lm_strides *strides,
		  const struct lm_stride *stride, const struct spot *spot)
{
	bool sure = GET(stride->many);

	if (spot->place == ELSEWHERE || !is_due(strides, stride))
		return false;
	switch (spot->place) {
	case NEXT:
		return sure || GET(stride->equal) + 1 >= enough(strides);
	case COME:
	case ASKED:
		return sure;
	case BESIDE:
		return sure && may_grow(stride);
	case ELSEWHERE:
		break;
	}
	return false;
}

/* The one that it is on, or NULL. In a step of one it is not beside another. */
static struct lm_stride *find(struct lm_strides *strides, uintptr_t page,
			      struct spot *spot)
{
	struct lm_stride *beside = NULL;
	struct spot there = { ELSEWHERE, 0, 0 };

	for (int i = 0; i < LM_STRIDES; i++) {
		struct lm_stride *stride = &strides->stride[i];

		*spot = spot_of(stride, page);
		if (!is_on(strides, stride, spot))
			continue;
		if (spot->place != BESIDE)
			return stride;
		beside = stride;
		there = *spot;
	}
	*spot = there;
	return beside;
}

bool lm_stride_of(struct lm_strides *strides, uintptr_t page, uintptr_t *start,
		  uintptr_t *end)
{
	struct spot spot;
	struct lm_stride *stride = find(strides, page, &spot);

	if (!stride)
		return false;
	*start = page;
	*end = page + LM_PAGE;
	if (spot.place != BESIDE) {
		*start = spot.at - (uintptr_t)GET(stride->below);
		*end = spot.at + (uintptr_t)GET(stride->above);
	}
	return true;
}

static void grow(struct lm_stride *stride, const struct spot *spot)
{
	if (spot->from < 0)
		SET(stride->below, -spot->from);
	else
		SET(stride->above, spot->from + PAGE);
}

/* So many steps from [steps->start, steps->end) on lie in the room. */
static uint32_t that_fit(const struct lm_steps *steps,
			 const struct lm_stride_room *room)
{
	uintptr_t width = steps->end - steps->start, way;

	if (steps->start < room->low || steps->end > room->high || !width)
		return 0;
	way = steps->step < 0
		      ? (steps->start - room->low) / (uintptr_t)-steps->step
		      : (room->high - steps->end) / (uintptr_t)steps->step;
	return (uint32_t)lm_min(way + 1, room->most / width);
}

/* It has come to all that was asked for: what is next? */
static struct lm_steps ask(struct lm_stride *stride,
			   const struct lm_stride_room *room)
{
	intptr_t step = GET(stride->step);
	uintptr_t next = GET(stride->at) + (uintptr_t)step;
	uint32_t many = lm_min(2 * GET(stride->many), LM_STRIDE_MOST);
	struct lm_steps steps = {
		.start = next - (uintptr_t)GET(stride->below),
		.end = next + (uintptr_t)GET(stride->above),
		.step = step,
	};

	if (!step)
		return steps;
	many = lm_max(many, FIRST);
	steps.count = lm_min(many, that_fit(&steps, room));
	/* What ends with the area is likely to be come to. */
	SET(stride->shown, room->shown && steps.count == many
				   ? many * (steps.end - steps.start) / LM_PAGE
				   : 0);
	SET(stride->many, lm_max(steps.count, 1));
	SET(stride->asked, steps.count);
	return steps;
}

static void tick(struct lm_strides *strides)
{
	atomic_fetch_add_explicit(&strides->clock, 1, memory_order_relaxed);
}

static void touch(struct lm_strides *strides, struct lm_stride *stride)
{
	SET(stride->used, GET(strides->clock));
}

static void come_to_asked(struct lm_strides *strides, struct lm_stride *stride)
{
	uint32_t asked = GET(stride->asked), doubt = GET(strides->doubt);

	SET(stride->at, GET(stride->at) + asked * (uintptr_t)GET(stride->step));
	SET(stride->back, asked);
	SET(strides->doubt, doubt - lm_min(asked, doubt));
}

static void come_to_next(struct lm_stride *stride, uintptr_t at)
{
	SET(stride->at, at);
	SET(stride->back, GET(stride->asked) + 1);
	SET(stride->asked, 0);
	SET(stride->equal, GET(stride->equal) + 1);
}

struct lm_steps lm_stride_claimed(struct lm_strides *strides, uintptr_t page,
				  const struct lm_stride_room *room)
{
	struct spot spot;
	struct lm_stride *stride = find(strides, page, &spot);
	struct lm_steps none = { .count = 0 };

	if (!stride)
		return none;
	tick(strides);
	if (spot.place != COME)
		touch(strides, stride);
	switch (spot.place) {
	case BESIDE:
		grow(stride, &spot);
		return none;
	case ASKED:
		come_to_asked(strides, stride);
		return ask(stride, room);
	case NEXT:
		come_to_next(stride, spot.at);
		return ask(stride, room);
	default:
		return none;
	}
}

struct lm_steps lm_stride_touched(struct lm_strides *strides, uintptr_t page,
				  const struct lm_stride_room *room)
{
	struct spot spot;
	struct lm_stride *stride = find(strides, page, &spot);
	struct lm_steps none = { .count = 0 };

	if (!stride || spot.place != ASKED)
		return none;
	tick(strides);
	touch(strides, stride);
	come_to_asked(strides, stride);
	return ask(stride, room);
}

/* -- Finding them -------------------------------------------------------------- */

static bool has(const struct lm_strides *strides, uintptr_t page)
{
	for (int i = 0; i < LM_STRIDE_RECENT; i++)
		if (GET(strides->recent[i]) == page)
			return true;
	return false;
}

/* The one that is missed least, to be another. */
static struct lm_stride *give_up(struct lm_strides *strides)
{
	uint32_t now = GET(strides->clock), most = 0;
	struct lm_stride *oldest = &strides->stride[0];

	for (int i = 0; i < LM_STRIDES; i++) {
		struct lm_stride *stride = &strides->stride[i];
		uint32_t age = now - GET(stride->used);

		if (!GET(stride->many))
			age *= SOONER;
		if (!GET(stride->step))
			age = UINT32_MAX;
		if (age >= most) {
			most = age;
			oldest = stride;
		}
	}
	SET(strides->doubt,
	    lm_min(GET(strides->doubt) + GET(oldest->asked), DOUBT_MAX));
	return oldest;
}

static uint32_t begin(struct lm_strides *strides, uintptr_t page, intptr_t step)
{
	struct lm_stride *stride = give_up(strides);
	uint32_t shown = GET(stride->shown);

	SET(stride->step, 0);
	SET(stride->many, 0);
	SET(stride->asked, 0);
	SET(stride->shown, 0);
	SET(stride->back, 1);
	SET(stride->below, 0);
	SET(stride->above, PAGE);
	SET(stride->equal, 2);
	SET(stride->at, page);
	SET(stride->step, step);
	touch(strides, stride);
	return shown;
}

/* Those that are none yet and come to this page. */
static void go_on(struct lm_strides *strides, uintptr_t page)
{
	for (int i = 0; i < LM_STRIDES; i++) {
		struct lm_stride *stride = &strides->stride[i];
		intptr_t step = GET(stride->step);

		if (!step || GET(stride->many) || !is_due(strides, stride) ||
		    page != GET(stride->at) + (uintptr_t)step)
			continue;
		come_to_next(stride, page);
		touch(strides, stride);
	}
}

static bool is_known(const struct lm_strides *strides, uintptr_t page,
		     intptr_t step)
{
	for (int i = 0; i < LM_STRIDES; i++)
		if (GET(strides->stride[i].at) == page &&
		    GET(strides->stride[i].step) == step)
			return true;
	return false;
}

uint32_t lm_stride_alone(struct lm_strides *strides, uintptr_t page)
{
	uint32_t i, shown = 0;

	tick(strides);
	go_on(strides, page);
	for (i = 0; i < LM_STRIDE_RECENT; i++) {
		uintptr_t before = GET(strides->recent[i]);
		intptr_t step = (intptr_t)(page - before);

		if (step && has(strides, before - (uintptr_t)step) &&
		    !is_known(strides, page, step))
			shown += begin(strides, page, step);
	}
	i = atomic_fetch_add_explicit(&strides->oldest, 1,
				      memory_order_relaxed);
	SET(strides->recent[i % LM_STRIDE_RECENT], page);
	return shown;
}
