/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which process reads from a socket, found by what the kernel knows of it when a datagram arrives, in an interrupt of
 * whatever process. Nothing here runs when data is read. All memory is read as if it could be anything: a task is
 * believed only if its table of descriptors has the socket.
 */
#ifndef PROCWIRE_READERS_H
#define PROCWIRE_READERS_H

#include "process.h"

/* The descriptors checked of a process: so many at a time, so often. A table's size is a multiple of 64. */
enum { DESCRIPTORS = 64, LOOKS = 64, LOOKS_OF_SENDER = 1024 };

struct descriptors {
	u64 files[DESCRIPTORS];
};

/* One for each kind of program: they interrupt each other. */
enum scratch_of { SCRATCH_EGRESS, SCRATCH_INGRESS, SCRATCH_LOOK, SCRATCHES };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, u32);
	__type(value, struct descriptors);
} scratch SEC(".maps");

/* Global, as the next: verified once, and not for each step of a loop around it. */
__attribute__((noinline)) int is_among(u32 slot, u64 file)
{
	struct descriptors *some = bpf_map_lookup_elem(&scratch, &slot);
	if (!some)
		return 0;
	for (u32 i = 0; i < DESCRIPTORS; i++) {
		if (some->files[i] == file)
			return 1;
	}
	return 0;
}

/*
 * Whether a task has a file, among its first 4,096 descriptors; of a task that sends, which pays for it itself, 65,536.
 */
__attribute__((noinline)) int holds(u64 task_address, u64 file, u32 slot)
{
	struct task_struct *task = (void *)task_address;
	struct descriptors *some = bpf_map_lookup_elem(&scratch, &slot);
	if (!some || !task || !file)
		return 0;
	struct fdtable *table = READ(READ(task, files), fdt);
	u32 size = READ(table, max_fds);
	u64 all = (u64)READ(table, fd);
	u32 looks = slot == SCRATCH_EGRESS ? LOOKS_OF_SENDER : LOOKS;
	for (u32 i = 0; i < LOOKS_OF_SENDER && i < looks && i * DESCRIPTORS < size; i++) {
		if (bpf_probe_read_kernel(some, sizeof(*some), (void *)(all + i * sizeof(*some))))
			return 0;
		if (is_among(slot, file))
			return 1;
	}
	return 0;
}

INLINE u64 file_of(struct sock *sk)
{
	return (u64)READ(READ(sk, sk_socket), file);
}

/* Whether nobody has a file but for one descriptor. */
INLINE bool is_sole(u64 address)
{
	struct file *file = (void *)address;
	if (HAS_FIELD((struct file *)0, f_ref))
		return READ(file, f_ref.refcnt.counter) == 0;
	return READ(file, f_count.counter) == 1;
}

/* The first that waits in a queue: an address of struct wait_queue_entry, or 0. */
INLINE u64 first_waiter(struct wait_queue_head *queue)
{
	u64 head = AT(queue, head);
	u64 first = (u64)READ((struct list_head *)head, next);
	return first == head ? 0 : (u64)AROUND(first, struct wait_queue_entry, entry);
}

/* The task that waits in a blocking call, or in poll() or select(); 0 if it does not hold the file. */
INLINE u64 blocked_task(u64 private, u64 file)
{
	if (holds(private, file, SCRATCH_INGRESS))
		return private;
	u64 polls = (u64)READ((struct poll_wqueues *)private, polling_task);
	return holds(polls, file, SCRATCH_INGRESS) ? polls : 0;
}

/* The task behind an entry of a socket's wait queue, which holds the socket's file; 0 if none is found. */
__attribute__((noinline)) u64 waiting_task(u64 address, u64 file)
{
	struct wait_queue_entry *entry = (void *)address;
	u64 private = (u64)READ(entry, private);
	if (!private) {
		/* epoll: who waits for its events? */
		struct eppoll_entry *poll = AROUND(address, struct eppoll_entry, wait);
		struct eventpoll *events = READ(READ(poll, base), ep);
		if (!events)
			return 0;
		struct wait_queue_entry *waiter = (void *)first_waiter((void *)AT(events, wq));
		return waiter ? blocked_task((u64)READ(waiter, private), file) : 0;
	}
	u64 task = blocked_task(private, file);
	if (task)
		return task;
	/* io_uring: a request, with a flag in its address */
	private &= ~3ULL;
	if (HAS_FIELD((struct io_kiocb *)0, tctx))
		task = (u64)READ(READ((struct io_kiocb *)private, tctx), task);
	else
		task = (u64)READ((struct io_kiocb___before_6_13 *)private, task);
	return holds(task, file, SCRATCH_INGRESS) ? task : 0;
}

/* The process (its leader) that waits for data of a socket; 0 if none does, or if it may be one of several. */
__attribute__((noinline)) u64 waiting_process(u64 sk_address, u64 file)
{
	struct sock *sk = (void *)sk_address;
	struct socket_wq *queue = READ(sk, sk_wq);
	if (!queue || !file)
		return 0;
	u64 head = AT(queue, wait.head);
	u64 next = (u64)READ((struct list_head *)head, next);
	u64 found = 0;
	for (int i = 0; i < 8 && next && next != head; i++) {
		struct wait_queue_entry *entry = AROUND(next, struct wait_queue_entry, entry);
		struct task_struct *task = (void *)waiting_task((u64)entry, file);
		u64 leader = task ? (u64)READ(task, group_leader) : 0;
		if (!leader || (found && leader != found))
			return 0;
		found = leader;
		/* the first of these is woken, and no other */
		if (READ(entry, flags) & WQ_FLAG_EXCLUSIVE)
			break;
		next = (u64)READ((struct list_head *)next, next);
	}
	return found;
}

/* As owner_of, of a task that the verifier does not vouch for. */
INLINE void read_owner(struct owner *owner, u64 leader)
{
	struct task_struct *task = (void *)leader;
	struct cred *cred = (void *)READ(task, cred);
	owner->start_boot_ns = READ(task, start_boottime);
	owner->tgid = READ(task, tgid);
	owner->exec_id = READ(task, self_exec_id);
	owner->uid = READ(cred, uid.val);
	owner->euid = READ(cred, euid.val);
	owner->holder = holder_at(leader);
	owner->pad = 0;
}

#endif
