/*
 * signal.c -- signal actions: the program's for SIGSEGV is kept aside, and
 * delivered by the stand-in; see signal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "handler.h"
#include "preload.h"
#include "signal.h"

#include "../lock.h"
#include "../os.h"
#include "../own.h"
#include "../syscall/made.h"
#include "../trap/action.h"
#include "../trap/trap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#define UNSUPPORTED 0x400   /* SA_UNSUPPORTED, which Linux 5.11 takes out */
#define RESTORER 0x04000000 /* SA_RESTORER, where there is such a thing */

/* What the kernel is not told of the program's actions, a bit a signal: they
 * want an alternate stack (and there is none yet), they mask the stand-in
 * itself. Atomic. */
static _Atomic uint64_t wants_stack, masks_stand_in;

/* The program's own action for the stand-in. Guarded by lock. */
static struct sigaction stand_in;
static struct lm_lock lock;

/* A fault of this thread is on its way to the program's handler. */
static __thread int under_way __attribute__((tls_model("initial-exec")));

/* -- Delivery ------------------------------------------------------------------ */

int lm_signal_unmask(siginfo_t *info)
{
	if (info->si_errno != LM_STAND_IN_MARK)
		return info->si_signo;
	info->si_errno = 0;
	return info->si_signo = SIGSEGV;
}

static struct sigaction action_for(int sig)
{
	struct sigaction act;
	uint64_t mask;

	if (sig == SIGSEGV)
		return lm_trap_program(true);
	mask = lm_os_block_signals();
	lm_lock_take(&lock);
	act = stand_in;
	if (act.sa_flags & (int)SA_RESETHAND)
		stand_in.sa_handler = SIG_DFL;
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	return act;
}

/* What is to be called for a signal that has come, which may be the stand-in,
 * and is SIGSEGV then. False: nothing. */
bool lm_signal_program(int *sig, siginfo_t *info, struct sigaction *act)
{
	lm_made_forget();
	if (*sig != LM_STAND_IN) {
		*act = lm_handler_kept(*sig);
		return true;
	}
	*sig = lm_signal_unmask(info);
	if (*sig == SIGSEGV)
		LM_OWN(under_way) = 0;
	*act = action_for(*sig);
	if (act->sa_handler == SIG_DFL)
		lm_trap_die(*sig, info);
	return act->sa_handler != SIG_IGN && act->sa_handler != SIG_DFL;
}

static int queue(const siginfo_t *info, bool anybody)
{
	siginfo_t marked = *info;
	long me = lm_sys(SYS_getpid);

	marked.si_errno = LM_STAND_IN_MARK;
	/* Only the first thread may pass a kill() on to the whole process
	 * under the sender's name; else this thread keeps it. */
	if (anybody &&
	    lm_sys(SYS_rt_sigqueueinfo, me, LM_STAND_IN, &marked) == 0)
		return 0;
	return (int)lm_sys(SYS_rt_tgsigqueueinfo, me, lm_sys(SYS_gettid),
			   LM_STAND_IN, &marked);
}

/* Sent by somebody: as the kernel does with a signal that is blocked, ignored
 * or handled. */
static bool deliver_sent(const struct sigaction *act, siginfo_t *info,
			 bool blocked)
{
	if (!blocked && act->sa_handler == SIG_IGN)
		return true;
	if (!blocked && act->sa_handler == SIG_DFL)
		return false;
	return queue(info, blocked && info->si_code != SI_TKILL) == 0;
}

/*
 * In lazymap's handler, with all signals blocked: the stand-in comes when it
 * returns, at the instruction that faulted, with the registers, the error code
 * and the address as they were.
 */
static bool deliver(int sig, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;
	struct sigaction act;
	bool blocked;

	if (sig != SIGSEGV)
		return false;
	act = lm_trap_program(false);
	blocked = lm_signal_bits(&machine->uc_sigmask) &
		  lm_signal_bit(LM_STAND_IN);
	if (info->si_code <= 0)
		return deliver_sent(&act, info, blocked);
	/* A fault while SIGSEGV is blocked or ignored kills; so does one that
	 * the kernel raises because the handler's frame has no room. */
	if (blocked || act.sa_handler == SIG_DFL || act.sa_handler == SIG_IGN ||
	    LM_OWN(under_way) || queue(info, false) < 0)
		lm_trap_die(sig, info);
	else
		LM_OWN(under_way) = 1;
	return true;
}

/* -- Actions ------------------------------------------------------------------- */

static bool handled(const struct sigaction *act)
{
	return act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN;
}

/* A vfork child's, which cannot keep what it set, is the kernel's to enter. */
static struct sigaction for_kernel(const struct sigaction *act, bool child)
{
	struct sigaction kernel = *act;

	kernel.sa_mask = lm_mask_in(&act->sa_mask);
	/* Every thread has an alternate stack, which the program must not
	 * find itself on before it has asked for one. */
	if (!lm_stack_asked())
		kernel.sa_flags &= ~SA_ONSTACK;
	if (LM_HANDLER_MOVES && handled(act) && !child)
		lm_handler_kernel(&kernel);
	return kernel;
}

static void note_bit(_Atomic uint64_t *bits, int sig, bool set)
{
	if (set)
		atomic_fetch_or(bits, lm_signal_bit(sig));
	else
		atomic_fetch_and(bits, ~lm_signal_bit(sig));
}

static void note(int sig, const struct sigaction *act)
{
	note_bit(&wants_stack, sig, act->sa_flags & SA_ONSTACK);
	note_bit(&masks_stand_in, sig,
		 lm_signal_bits(&act->sa_mask) & lm_signal_bit(LM_STAND_IN));
}

#define OURS (SA_ONSTACK | SA_SIGINFO)

static void for_program(int sig, struct sigaction *act)
{
	uint64_t bit = lm_signal_bit(sig);
	struct sigaction set;

	if (lm_handler_entered(sig, act)) {
		set = lm_handler_kept(sig);
		if (handled(act))
			act->sa_sigaction = set.sa_sigaction;
		act->sa_flags = (act->sa_flags & ~OURS) | (set.sa_flags & OURS);
	}
	lm_mask_out(&act->sa_mask);
	if (atomic_load(&masks_stand_in) & bit)
		sigaddset(&act->sa_mask, LM_STAND_IN);
	if (atomic_load(&wants_stack) & bit)
		act->sa_flags |= SA_ONSTACK;
}

/* The kernel's action for the stand-in, after the program's for SIGSEGV. */
static void set_stand_in(void)
{
	struct sigaction act = lm_trap_program(false), kernel;
	bool to_handler = handled(&act);

	note(LM_STAND_IN, &act);
	kernel = for_kernel(&act, false);
	lm_handler_kernel(&kernel);
	kernel.sa_flags &= ~((int)SA_RESETHAND | SA_NOCLDSTOP | SA_NOCLDWAIT);
	if (!to_handler)
		kernel.sa_flags |= SA_RESTART;
	REAL(sigaction)(LM_STAND_IN, &kernel, NULL);
	lm_action_restart(SIGSEGV, !to_handler || act.sa_flags & SA_RESTART);
}

static void keep_stand_in(const struct sigaction *act, struct sigaction *old)
{
	struct sigaction new, was;
	uint64_t mask;

	if (act)
		new = *act;
	mask = lm_os_block_signals();
	lm_lock_take(&lock);
	was = stand_in;
	if (act)
		stand_in = new;
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	if (old)
		*old = was;
}

static struct sigaction accepted(const struct sigaction *act)
{
	struct sigaction copy = *act;
	uint64_t mask = lm_signal_bits(&copy.sa_mask);

	mask &= ~(lm_signal_bit(SIGKILL) | lm_signal_bit(SIGSTOP));
	memcpy(&copy.sa_mask, &mask, sizeof(mask));
	return copy;
}

/* As it would be read back. */
static struct sigaction read_back(const struct sigaction *act, bool raw)
{
	struct sigaction copy = accepted(act), kernel;

	if (raw) {
		copy.sa_flags &= ~UNSUPPORTED;
	} else if (!REAL(sigaction)(LM_STAND_IN, NULL, &kernel)) {
		copy.sa_restorer = kernel.sa_restorer;
		copy.sa_flags |= kernel.sa_flags & RESTORER;
	}
	return copy;
}

/* An action of SIGSEGV or the stand-in, which the kernel is not given: done. */
static bool kept(int sig, const struct sigaction *act, struct sigaction *old,
		 bool raw)
{
	struct sigaction copy;

	if (act && (sig == SIGSEGV || sig == LM_STAND_IN)) {
		copy = read_back(act, raw);
		act = &copy;
	}
	if (sig == LM_STAND_IN)
		keep_stand_in(act, old);
	else if (!lm_trap_sigaction(sig, act, old))
		return false;
	if (act && sig == SIGSEGV)
		set_stand_in();
	return true;
}

static int tell(int sig, const struct sigaction *act, struct sigaction *old,
		bool raw)
{
	if (raw)
		return lm_action_call(sig, act, old);
	return REAL(sigaction)(sig, act, old) ? -errno : 0;
}

/* The kernel has what the program set, but for what lm_handler_kept() says: it
 * is there before the kernel can enter by it. */
static int exchange(int sig, const struct sigaction *act, struct sigaction *old,
		    bool raw, bool child)
{
	struct sigaction kernel, before;
	int ret = tell(sig, NULL, old, raw);

	if (ret < 0)
		return ret;
	for_program(sig, old);
	if (!act)
		return 0;
	kernel = for_kernel(act, child);
	if (!lm_handler_entered(sig, &kernel))
		return tell(sig, &kernel, NULL, raw);
	before = lm_handler_kept(sig);
	lm_handler_keep(sig, act);
	ret = tell(sig, &kernel, NULL, raw);
	if (ret < 0)
		lm_handler_keep(sig, &before);
	return ret;
}

int lm_signal_action(int sig, const struct sigaction *act,
		     struct sigaction *old, bool raw)
{
	struct sigaction copy;
	uint64_t mask;
	int ret, child;

	if (sig < 1 || sig > 64)
		return -EINVAL;
	/* The memory is the parent's, and exec sets the default. */
	child = lm_shim_vforked();
	if (child && (sig == SIGSEGV || sig == LM_STAND_IN)) {
		*old = lm_trap_program(false);
		return 0;
	}
	if (kept(sig, act, old, raw))
		return 0;
	/* It may be in lazy memory: touched outside the lock. */
	if (act) {
		copy = accepted(act);
		act = &copy;
	}
	mask = lm_os_block_signals();
	lm_lock_take(&lock);
	ret = exchange(sig, act, old, raw, child);
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	if (!ret && act && !child)
		note(sig, act);
	return ret;
}

LM_EXPORT int sigaction(int sig, const struct sigaction *act,
			struct sigaction *old)
{
	struct sigaction was = { 0 };
	int ret;

	if (lm_shim_off() || sig < 1 || sig > 64)
		return REAL(sigaction)(sig, act, old);
	ret = lm_signal_action(sig, act, &was, false);
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	if (old)
		*old = was;
	return 0;
}

int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);
LM_EXPORT int __sigaction(int sig, const struct sigaction *act,
			  struct sigaction *old)
{
	return sigaction(sig, act, old);
}

/* Programs that ask for an alternate stack do so once, early. */
void lm_signal_on_stack(bool there)
{
	uint64_t wanted = LM_HANDLER_MOVES ? 0 : atomic_load(&wants_stack);
	struct sigaction act;

	for (int sig = 1; sig <= 64; sig++) {
		if (!(wanted & lm_signal_bit(sig)) ||
		    REAL(sigaction)(sig, NULL, &act))
			continue;
		act.sa_flags &= ~SA_ONSTACK;
		act.sa_flags |= there ? SA_ONSTACK : 0;
		REAL(sigaction)(sig, &act, NULL);
	}
}

/* SIG_IGN is all that exec hands down of an action. */
void lm_signal_exec(struct lm_signal_exec *before)
{
	before->ignored = lm_trap_program(false).sa_handler == SIG_IGN;
	if (before->ignored)
		lm_action_ignore(SIGSEGV, before->action);
	before->mask = lm_mask_exec();
}

void lm_signal_exec_failed(const struct lm_signal_exec *before)
{
	lm_mask_exec_failed(before->mask);
	if (before->ignored)
		lm_action_give_back(SIGSEGV, before->action);
}

/* Who held it is not here. */
static void forked(void)
{
	lock = (struct lm_lock){ 0 };
}

void lm_signal_start(void)
{
	pthread_atfork(NULL, NULL, forked);
	lm_trap_deliver(deliver);
	set_stand_in();
	lm_mask_start();
	lm_stack_start();
}
