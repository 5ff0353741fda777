/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which system call ended. A number says so only together with the ABI: 288 is accept4() of 64-bit programs, and
 * keyctl() of 32-bit ones, as which any program can make single calls.
 */
#ifndef PROCWIRE_CALLS_H
#define PROCWIRE_CALLS_H

#include "kernel.h"

enum call_kind { CALL_OTHER, CALL_ACCEPT, CALL_CONNECT };

struct call {
	enum call_kind kind;
	/* of CALL_CONNECT: its descriptor, -1 where the registers do not hold it any more, and the address */
	int fd;
	const void *address;
};

#if defined(__TARGET_ARCH_x86)
enum { CONNECT = 42, ACCEPT = 43, ACCEPT4 = 288, X32_BIT = 1 << 30 };
enum { I386_SOCKETCALL = 102, I386_CONNECT = 362, I386_ACCEPT4 = 364 };
enum { SOCKETCALL_CONNECT = 3, SOCKETCALL_ACCEPT = 5, SOCKETCALL_ACCEPT4 = 18 };
enum { TS_COMPAT = 1 << 1 };

INLINE struct call i386_call(const struct pt_regs *regs, int number)
{
	struct call call = {CALL_OTHER, regs->bx, (void *)(u64)(u32)regs->cx};
	u32 which = regs->bx;
	if (number == I386_ACCEPT4) {
		call.kind = CALL_ACCEPT;
	} else if (number == I386_CONNECT) {
		call.kind = CALL_CONNECT;
	} else if (number == I386_SOCKETCALL && (which == SOCKETCALL_ACCEPT || which == SOCKETCALL_ACCEPT4)) {
		call.kind = CALL_ACCEPT;
	} else if (number == I386_SOCKETCALL && which == SOCKETCALL_CONNECT) {
		u32 arguments[2];
		if (bpf_probe_read_user(arguments, sizeof(arguments), call.address))
			return call;
		call = (struct call){CALL_CONNECT, arguments[0], (void *)(u64)arguments[1]};
	}
	return call;
}

INLINE struct call call_of(const struct pt_regs *regs)
{
	struct call call = {CALL_OTHER, regs->di, (void *)regs->si};
	int number = regs->orig_ax & ~X32_BIT;
	/* first what costs nothing: this is asked at the end of every call of the machine */
	if (number != CONNECT && number != ACCEPT && number != ACCEPT4 && number != I386_SOCKETCALL &&
	    number != I386_CONNECT && number != I386_ACCEPT4)
		return call;
	if (bpf_get_current_task_btf()->thread_info.status & TS_COMPAT)
		return i386_call(regs, number);
	if (number == ACCEPT || number == ACCEPT4)
		call.kind = CALL_ACCEPT;
	else if (number == CONNECT)
		call.kind = CALL_CONNECT;
	return call;
}
#else
enum { CONNECT = 203, ACCEPT = 202, ACCEPT4 = 242 };
enum { COMPAT_CONNECT = 283, COMPAT_ACCEPT = 285, COMPAT_ACCEPT4 = 366 };
enum { TIF_32BIT = 22 };

INLINE struct call call_of(const struct pt_regs *regs)
{
	/* the result stands where the descriptor stood */
	struct call call = {CALL_OTHER, -1, (void *)regs->regs[1]};
	int number = regs->syscallno;
	if (number != CONNECT && number != ACCEPT && number != ACCEPT4 && number != COMPAT_CONNECT &&
	    number != COMPAT_ACCEPT && number != COMPAT_ACCEPT4)
		return call;
	bool compat = bpf_get_current_task_btf()->thread_info.flags >> TIF_32BIT & 1;
	if (number == (compat ? COMPAT_ACCEPT : ACCEPT) || number == (compat ? COMPAT_ACCEPT4 : ACCEPT4))
		call.kind = CALL_ACCEPT;
	else if (number == (compat ? COMPAT_CONNECT : CONNECT))
		call.kind = CALL_CONNECT;
	return call;
}
#endif

/*
 * Whether a supervisor may answer calls of the task in its stead (seccomp's user notification): what accept() returns
 * then is whatever the supervisor says.
 */
INLINE bool is_supervised(struct task_struct *task)
{
	if (!HAS_FIELD((struct seccomp *)0, filter))
		return false;
	struct seccomp_filter *filter = READ(task, seccomp.filter);
	for (int i = 0; i < 64 && filter; i++) {
		if (READ(filter, notif))
			return true;
		filter = READ(filter, prev);
	}
	return false;
}

#endif
