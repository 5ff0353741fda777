/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP: connected, accepted, failed, ended.
 *
 * A connection is the connecting process's from its SYN on. An accepted one is nobody's until a process takes it, which
 * one of three hooks sees (accept_hook): ACCEPT_GRAFT, where the kernel gives the connection its socket; or
 * ACCEPT_GETPEERNAME, accept() that requests the address; or ACCEPT_SYSCALLS, the exits of accept(). What the latter two
 * do not see is found at its first use: the first packet that a process sends over it, or its close().
 */
#ifndef PROCWIRE_TCP_H
#define PROCWIRE_TCP_H

#include "connection.h"

static __attribute__((noinline)) int emit_tcp(struct sock *sk, const struct owner *owner, u64 cookie, u8 kind,
					      u8 attribution)
{
	if (!owner)
		return 0;
	struct connection_record *record = reserve(kind, attribution, IPPROTO_TCP, bpf_ktime_get_boot_ns());
	if (!record)
		return 0;
	record->owner = *owner;
	record->cookie = cookie;
	ends_of(record, sk);
	if (kind == KIND_ATTEMPT)
		record->error = READ(sk, sk_err);
	submit(record);
	return 0;
}

static __attribute__((noinline)) int emit_close(struct sock *sk, const struct tcp *tcp, int state)
{
	struct tcp_sock *data = (void *)sk;
	if (!tcp)
		return 0;
	struct close_record *close = bpf_ringbuf_reserve(&ring, sizeof(*close), 0);
	if (!close) {
		count(COUNTER_LOST_CONNECTION);
		return 0;
	}
	struct connection_record *record = &close->connection;
	begin(record, KIND_CLOSE, ATTRIBUTION_CALLER, IPPROTO_TCP, bpf_ktime_get_boot_ns());
	record->owner = tcp->owner;
	record->cookie = tcp->cookie;
	ends_of(record, sk);
	record->state = state;
	record->initiated = tcp->stage == STAGE_CONNECTED;
	record->error = READ(sk, sk_err);
	close->duration_ns = tcp->since_ns ? record->time_boot_ns - tcp->since_ns : 0;
	/* data only: the kernel's count of what came in has the peer's FIN in it */
	close->sent_bytes = READ(data, bytes_sent) - READ(data, bytes_retrans);
	close->received_bytes = READ(data, bytes_received);
	if (close->received_bytes && READ(sk, __sk_common.skc_flags) & SOCK_DONE)
		close->received_bytes -= 1;
	close->sent_packets = READ(data, segs_out);
	close->received_packets = READ(data, segs_in);
	bpf_ringbuf_submit(close, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Whether a TCP socket is a further path of an MPTCP connection; its first one stands for all of them. */
INLINE bool is_further_path(struct sock *sk)
{
	struct inet_connection_sock *icsk = (void *)sk;
	struct tcp_ulp_ops *ulp = READ(icsk, icsk_ulp_ops);
	if (!ulp)
		return false;
	u64 name = 0;
	bpf_probe_read_kernel(&name, 6, __builtin_preserve_access_index(&ulp->name));
	/* "mptcp" */
	if (name != 0x706374706dULL)
		return false;
	struct mptcp_subflow_context *subflow = READ(icsk, icsk_ulp_data);
	return subflow && (READ_BITS(subflow, request_join) || READ_BITS(subflow, mp_join));
}

INLINE void on_syn_sent(struct sock *sk)
{
	if (is_further_path(sk))
		return;
	u64 cookie = bpf_get_socket_cookie(sk);
	struct owner owner;
	owner_here(&owner);
	struct tcp *tcp = claim_tcp(sk, cookie);
	if (tcp) {
		tcp->owner = owner;
		tcp->stage = STAGE_CONNECTING;
	}
	if (want_udp && sk->__sk_common.skc_dport == __builtin_bswap16(53)) {
		struct note *note = bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (note) {
			note->owner = owner;
			note->cookie = cookie;
		}
	}
}

/* Whether one more listener of this user's is remembered. */
INLINE bool take_share(u32 holder)
{
	u32 share = holder % SHARES;
	u64 *taken = bpf_map_lookup_elem(&shares, &share);
	if (!taken || *taken >= SHARE)
		return false;
	__sync_fetch_and_add(taken, 1);
	return true;
}

INLINE void give_share(u32 holder)
{
	u32 share = holder % SHARES;
	u64 *taken = bpf_map_lookup_elem(&shares, &share);
	if (taken)
		__sync_fetch_and_add(taken, -1);
}

INLINE void put_listener(const struct listener_key *key, const struct owner *owner)
{
	struct owner *before = bpf_map_lookup_elem(&listeners, key);
	if (before) {
		/* several sockets share address and port, all of one user: the latest */
		u32 holder = before->holder;
		if (holder != owner->holder && !take_share(owner->holder))
			return;
		if (holder != owner->holder)
			give_share(holder);
		*before = *owner;
	} else if (take_share(owner->holder) && bpf_map_update_elem(&listeners, key, owner, BPF_NOEXIST)) {
		give_share(owner->holder);
	}
}

INLINE void key_of_listener(struct listener_key *key, struct sock *sk, u16 port)
{
	struct ends ends = {};
	addresses_of(&ends, sk);
	key->netns = netns_of(sk);
	key->port = port;
	copy_address(key->address, ends.local);
}

INLINE void on_listen(struct sock *sk)
{
	struct owner owner;
	struct listener_key key;
	owner_here(&owner);
	key_of_listener(&key, sk, sk->__sk_common.skc_num);
	put_listener(&key, &owner);
}

/* Who listens where a connection was made: at its own address, or at any. All zero where that is not known. */
static __attribute__((noinline)) int listener_of(struct owner *listener, const struct tcp *tcp)
{
	if (!listener || !tcp)
		return 0;
	struct listener_key key = {tcp->ends.netns, tcp->ends.local_port};
	copy_address(key.address, tcp->ends.local);
	struct owner *found = bpf_map_lookup_elem(&listeners, &key);
	if (!found) {
		map_ipv4(key.address, 0);
		u64 words[2], any[2];
		copy_address((u8 *)words, tcp->ends.local);
		copy_address((u8 *)any, key.address);
		if (words[0] == any[0] && (u32)words[1] == (u32)any[1])
			found = bpf_map_lookup_elem(&listeners, &key);
	}
	if (!found) {
		__builtin_memset(key.address, 0, sizeof(key.address));
		found = bpf_map_lookup_elem(&listeners, &key);
	}
	if (found)
		*listener = *found;
	else
		__builtin_memset(listener, 0, sizeof(*listener));
	return found != NULL;
}

/* A listener is gone. If another shares its address and port, that is without an owner until it listens again. */
INLINE void on_listener_closed(struct sock *sk)
{
	/* the port is given back before the state changes */
	u16 port = __builtin_bswap16(READ((struct inet_sock *)sk, inet_sport));
	struct listener_key key;
	key_of_listener(&key, sk, port);
	struct owner *owner = bpf_map_lookup_elem(&listeners, &key);
	if (!owner)
		return;
	u32 holder = owner->holder;
	if (bpf_map_delete_elem(&listeners, &key) == 0)
		give_share(holder);
}

/* A connection of ours is established. Without `tcp` its SYN was not seen. */
INLINE void on_connected(struct sock *sk, struct tcp *tcp, u64 cookie)
{
	if (!tcp && is_further_path(sk))
		return;
	u64 now_ns = bpf_ktime_get_boot_ns();
	struct connection_record *record =
		reserve(KIND_CONNECT, tcp ? ATTRIBUTION_CALLER : ATTRIBUTION_NONE, IPPROTO_TCP, now_ns);
	if (record) {
		if (tcp)
			record->owner = tcp->owner;
		else
			__builtin_memset(&record->owner, 0, sizeof(record->owner));
		record->cookie = cookie;
		struct ends ends = {};
		ends_of_open(&ends, sk);
		put_ends(record, &ends);
		submit(record);
	}
	if (!tcp)
		return;
	tcp->since_ns = now_ns;
	tcp->stage = want_closes ? STAGE_CONNECTED : STAGE_REPORTED;
}

/* A listener's child is ready to be accepted, or was already: Fast Open hands it out before the handshake's end. */
INLINE void on_child_established(struct sock *sk, u64 cookie)
{
	struct tcp *known = FIND_TCP(sk, cookie);
	u64 stage = known ? known->stage : STAGE_FREE;
	/* no child: two that connected to each other at once */
	if (stage == STAGE_CONNECTING) {
		on_connected(sk, known, cookie);
		return;
	}
	if (stage == STAGE_EARLY) {
		known->since_ns = bpf_ktime_get_boot_ns();
		emit_tcp(sk, &known->owner, cookie, KIND_ACCEPT, ATTRIBUTION_CALLER);
		known->stage = want_closes ? STAGE_ACCEPTED : STAGE_REPORTED;
		return;
	}
	/* reported twice, see set_state_again */
	if (stage != STAGE_FREE && stage != STAGE_REPORTED)
		return;
	/* the accept is reported where it happens, without a note */
	if (accept_hook == ACCEPT_GRAFT && !want_closes)
		return;
	if (is_further_path(sk))
		return;
	struct tcp *tcp = claim_tcp(sk, cookie);
	if (!tcp)
		return;
	tcp->since_ns = bpf_ktime_get_boot_ns();
	struct ends ends = {};
	ends_of_open(&ends, sk);
	tcp->ends = ends;
	tcp->stage = STAGE_WAITING;
}

/* `again`: from the second program, where no note may as well mean that the first has reported it already. */
INLINE void on_established(struct sock *sk, int old, bool again)
{
	u64 cookie = bpf_get_socket_cookie(sk);
	if (old == TCP_SYN_SENT) {
		struct tcp *own = FIND_TCP(sk, cookie);
		if (own ? own->stage == STAGE_CONNECTING : !again)
			on_connected(sk, own, cookie);
	} else if (old == TCP_SYN_RECV) {
		on_child_established(sk, cookie);
	}
}

INLINE bool move(struct tcp *tcp, u64 from, u64 to)
{
	return __sync_val_compare_and_swap(&tcp->stage, from, to) == from;
}

/* Everything to report was read when it was established. */
INLINE void emit_noted(const struct tcp *tcp, u8 attribution)
{
	struct connection_record *record = reserve(KIND_ACCEPT, attribution, IPPROTO_TCP, bpf_ktime_get_boot_ns());
	if (!record)
		return;
	record->owner = tcp->owner;
	record->cookie = tcp->cookie;
	put_ends(record, &tcp->ends);
	submit(record);
}

/* Found to be the owner's while it waits. */
INLINE bool take_waiting(struct tcp *tcp, const struct owner *owner, u8 attribution)
{
	/* before it is taken: its end on another processor is then reported as this process's */
	tcp->owner = *owner;
	if (!move(tcp, STAGE_WAITING, want_closes ? STAGE_ACCEPTED : STAGE_REPORTED))
		return false;
	emit_noted(tcp, attribution);
	return true;
}

INLINE void claim_accept(const struct tcp *tcp, const struct owner *owner)
{
	struct peer nobody = {};
	claim(owner, KIND_ACCEPT, 0, tcp->cookie, &nobody);
}

/* Its process is seen, and the note is one that was made when it was established. */
INLINE void on_owner_seen(struct sock *sk, struct tcp *tcp, const struct owner *owner)
{
	if (tcp->stage == STAGE_WAITING && take_waiting(tcp, owner, ATTRIBUTION_CALLER))
		return;
	if (tcp->stage == STAGE_ENDED && move(tcp, STAGE_ENDED, STAGE_REPORTED)) {
		tcp->owner = *owner;
		emit_noted(tcp, ATTRIBUTION_CALLER);
		if (want_closes)
			emit_close(sk, tcp, TCP_CLOSE);
		return;
	}
	/* it ended meanwhile: whoever reports that, on another processor perhaps, claims it in our stead */
	if (tcp->stage == STAGE_TELLING) {
		tcp->owner = *owner;
		if (move(tcp, STAGE_TELLING, STAGE_OWNED))
			return;
	}
	if (tcp->stage == STAGE_TOLD && move(tcp, STAGE_TOLD, STAGE_REPORTED))
		claim_accept(tcp, owner);
}

/*
 * Whether a socket that has no note should have one: a connection that waited already when the recording began, or whose
 * establishment interrupted another program of ours. Cookies count up, so a younger one in its slot may have pushed its
 * note out; and a socket that sent anything, a SYN for one, is not fresh from accept().
 */
INLINE bool lacks_note(u64 cookie, u64 segments_sent)
{
	struct tcp *other = slot_of(cookie);
	return other && other->cookie < cookie && segments_sent == 0;
}

/* An accept of a socket without a note. An early one is reported when its handshake is over. */
INLINE void on_accepted_unnoted(struct sock *sk, const struct owner *owner, u64 cookie, bool early)
{
	if (!early)
		emit_tcp(sk, owner, cookie, KIND_ACCEPT, ATTRIBUTION_CALLER);
	if (!early && !want_closes && accept_hook == ACCEPT_GRAFT)
		return;
	struct tcp *tcp = claim_tcp(sk, cookie);
	if (tcp) {
		tcp->owner = *owner;
		tcp->stage = early ? STAGE_EARLY : want_closes ? STAGE_ACCEPTED : STAGE_REPORTED;
	}
}

/* Accepted by the current process. `sk`: vouched for by the verifier. */
INLINE void on_accept(struct sock *sk, u64 cookie)
{
	struct owner owner;
	struct tcp *tcp = FIND_TCP(sk, cookie);
	u8 state = READ(sk, __sk_common.skc_state);
	if (tcp && tcp->stage != STAGE_REPORTED) {
		owner_here(&owner);
		on_owner_seen(sk, tcp, &owner);
		return;
	}
	if (tcp && accept_hook != ACCEPT_GRAFT)
		return;
	bool early = state == TCP_SYN_RECV;
	if (!early && accept_hook != ACCEPT_GRAFT && !lacks_note(cookie, READ((struct tcp_sock *)sk, segs_out)))
		return;
	if (is_further_path(sk))
		return;
	owner_here(&owner);
	on_accepted_unnoted(sk, &owner, cookie, early);
}

/* Whether the current process may be whose the socket is: the kernel's threads close and send for others. */
INLINE bool is_users(struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	return !(task->flags & PF_KTHREAD) || !READ(READ(sk, sk_socket), file);
}

/* Its process closes it, and how it was accepted was not seen. */
INLINE void on_closing(struct sock *sk)
{
	u64 cookie = bpf_get_socket_cookie(sk);
	struct tcp *tcp = FIND_TCP(sk, cookie);
	if (!tcp || tcp->stage != STAGE_WAITING || !READ(sk, sk_socket))
		return;
	struct owner owner = {};
	u8 attribution = ATTRIBUTION_CALLER;
	if (is_users(sk)) {
		owner_here(&owner);
	} else {
		attribution = listener_of(&owner, tcp) ? ATTRIBUTION_LISTENER : ATTRIBUTION_NONE;
	}
	take_waiting(tcp, &owner, attribution);
}

/*
 * Closed as nobody's, as far as is known. One that no process has, has no socket, and is nobody's event. Another is
 * reported as its listener's, until the accept() that may be under way claims it.
 */
INLINE void on_closed_waiting(struct sock *sk, struct tcp *tcp, int old)
{
	if (!READ(sk, sk_socket)) {
		move(tcp, STAGE_WAITING, STAGE_ENDED);
		return;
	}
	if (!move(tcp, STAGE_WAITING, STAGE_TELLING)) {
		/* taken at the last moment */
		if (want_closes && tcp->stage == STAGE_ACCEPTED) {
			emit_close(sk, tcp, old);
			tcp->stage = STAGE_REPORTED;
		}
		return;
	}
	struct owner listener;
	listener_of(&listener, tcp);
	tcp->owner = listener;
	emit_tcp(sk, &tcp->owner, tcp->cookie, KIND_ACCEPT, ATTRIBUTION_PENDING);
	if (want_closes)
		emit_close(sk, tcp, old);
	if (!move(tcp, STAGE_TELLING, STAGE_TOLD)) {
		claim_accept(tcp, &tcp->owner);
		tcp->stage = STAGE_REPORTED;
	}
}

INLINE void on_closed(struct sock *sk, int old)
{
	u64 cookie = bpf_get_socket_cookie(sk);
	struct tcp *tcp = FIND_TCP(sk, cookie);
	if (!tcp)
		return;
	u64 stage = tcp->stage;
	if (stage == STAGE_WAITING) {
		on_closed_waiting(sk, tcp, old);
		return;
	}
	if (stage == STAGE_CONNECTING && old != TCP_SYN_SENT && old != TCP_SYN_RECV) {
		/* that it was established was missed */
		emit_tcp(sk, &tcp->owner, cookie, KIND_CONNECT, ATTRIBUTION_CALLER);
	} else if (stage == STAGE_CONNECTING && want_attempts) {
		emit_tcp(sk, &tcp->owner, cookie, KIND_ATTEMPT, ATTRIBUTION_CALLER);
	} else if (want_closes && (stage == STAGE_CONNECTED || stage == STAGE_ACCEPTED)) {
		emit_close(sk, tcp, old);
	}
	/* STAGE_EARLY: it never came to be */
	if (stage < STAGE_TOLD)
		tcp->stage = STAGE_REPORTED;
}

/*
 * A program does not run where it interrupts itself, as one connection's change of state in a soft interrupt does
 * another's. Without want_again what is missed so is made good by the next hook that sees the socket. With it there are
 * two: the first records the transition it handles, the second runs where that is another change than its own. What they
 * call does no harm twice.
 */
struct change {
	u64 sk;
	u64 state;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct change);
} changes SEC(".maps");

INLINE void on_state(struct sock *sk, int old, int new, bool again)
{
	if (new == TCP_SYN_SENT)
		on_syn_sent(sk);
	else if (new == TCP_ESTABLISHED)
		on_established(sk, old, again);
	else if (new == TCP_CLOSE && old == TCP_LISTEN)
		on_listener_closed(sk);
	else if (new == TCP_CLOSE)
		on_closed(sk, old);
	else if (new == TCP_LISTEN)
		on_listen(sk);
	else if (accept_hook != ACCEPT_GRAFT && (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK))
		on_closing(sk);
}

/* Whether `on_state` does anything: not for FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, CLOSING, for example. */
INLINE bool matters(u64 state)
{
	return 1 << (state & 31) & (1 << TCP_SYN_SENT | 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE | 1 << TCP_LISTEN |
				    1 << TCP_FIN_WAIT1 | 1 << TCP_LAST_ACK);
}

SEC("tp_btf/inet_sock_set_state")
int set_state(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	if (!matters(ctx[2]) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (want_again) {
		u32 zero = 0;
		struct change *change = bpf_map_lookup_elem(&changes, &zero);
		if (!change)
			return 0;
		change->sk = (u64)sk;
		change->state = ctx[2];
	}
	on_state(sk, ctx[1], ctx[2], false);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int set_state_again(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	u32 zero = 0;
	if (!matters(ctx[2]) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	struct change *change = bpf_map_lookup_elem(&changes, &zero);
	if (!change || (change->sk == (u64)sk && change->state == ctx[2]))
		return 0;
	on_state(sk, ctx[1], ctx[2], true);
	return 0;
}

#endif
