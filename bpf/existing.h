/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets already open at start. */
#ifndef PROCWIRE_EXISTING_H
#define PROCWIRE_EXISTING_H

#include "tcp.h"

/* Of a task that is not the current one: its address is not a number to the verifier, but its leader's is, once read. */
INLINE void owner_in_walk(struct owner *owner, struct task_struct *task)
{
	owner_of(owner, task, (u64)READ(task, group_leader));
}

/* Notes the owner of every socket that is open, and reports those that have a peer. */
SEC("iter/task_file")
int open_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	if (!task || !file)
		return 0;
	struct socket *socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	struct sock *sk = socket->sk;
	if (!sk)
		return 0;
	u16 family = sk->__sk_common.skc_family;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	u16 protocol = sk->sk_protocol;
	if (protocol != IPPROTO_TCP && !(want_udp && protocol == IPPROTO_UDP && sk->sk_type == SOCK_DGRAM))
		return 0;
	u8 state = sk->__sk_common.skc_state;
	struct owner owner = {};
	if (protocol == IPPROTO_UDP) {
		struct note *note = bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!note) {
			count(COUNTER_UNOWNED);
			return 0;
		}
		/* of several processes that have it the first; and none that was made since the hooks are there */
		if (note->walked || (note->is_udp && !note->found_ns))
			return 0;
		note->walked = 1;
		if (!note->owner.tgid) {
			owner_in_walk(&note->owner, task);
			note->task = (u64)READ(task, group_leader);
		}
		note->is_udp = 1;
		note->netns = netns_of(sk);
		/* without a port it was not used yet */
		note->found_ns = sk->__sk_common.skc_num ? bpf_ktime_get_boot_ns() : 0;
		owner = note->owner;
	} else if (state == TCP_LISTEN) {
		struct listener_key key;
		key_of_listener(&key, sk, sk->__sk_common.skc_num);
		bool known = bpf_map_lookup_elem(&listeners, &key);
		if (known && !want_existing)
			return 0;
		owner_in_walk(&owner, task);
		if (!known)
			put_listener(&key, &owner);
	} else {
		u64 cookie = bpf_get_socket_cookie(sk);
		/* remembered, so that of several processes that have it the first is reported, and none has accepted it just now */
		if (FIND_TCP(sk, cookie))
			return 0;
		owner_in_walk(&owner, task);
		struct tcp *tcp = claim_tcp(sk, cookie);
		if (tcp) {
			tcp->owner = owner;
			tcp->stage = state == TCP_SYN_SENT ? STAGE_CONNECTING :
				     want_closes && state != TCP_CLOSE ? STAGE_CONNECTED : STAGE_REPORTED;
		}
	}
	tell((u64)READ(task, group_leader), &owner, false);
	if (!want_existing)
		return 0;
	struct connection_record *record = reserve(KIND_EXISTING, ATTRIBUTION_OWNER, protocol, bpf_ktime_get_boot_ns());
	if (!record)
		return 0;
	record->owner = owner;
	record->cookie = bpf_get_socket_cookie(sk);
	ends_of(record, sk);
	record->state = state;
	submit(record);
	return 0;
}

#endif
