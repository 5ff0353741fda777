/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TCP: connected, accepted, failed, ended. */
#ifndef PROCWIRE_TCP_H
#define PROCWIRE_TCP_H

#include "calls.h"
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

INLINE void fill_close(struct close_record *close, struct sock *sk, const struct tcp *tcp, int state)
{
	struct tcp_sock *data = (void *)sk;
	struct connection_record *record = &close->connection;
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
}

INLINE struct close_record *reserve_close(void)
{
	struct close_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (record)
		begin(&record->connection, KIND_CLOSE, ATTRIBUTION_CALLER, IPPROTO_TCP, bpf_ktime_get_boot_ns());
	else
		count(COUNTER_LOST_CONNECTION);
	return record;
}

INLINE void emit_close(struct sock *sk, const struct tcp *tcp, int state)
{
	struct close_record *record = reserve_close();
	if (!record)
		return;
	fill_close(record, sk, tcp, state);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* Whether a TCP socket is a further path of an MPTCP connection; its first one tells of the whole. */
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

INLINE void put_tcp(void *table, u64 id, const struct tcp *tcp)
{
	if (bpf_map_update_elem(table, &id, tcp, BPF_ANY))
		count(COUNTER_TCPS_FULL);
}

INLINE void on_syn_sent(struct sock *sk)
{
	struct tcp tcp = {.stage = STAGE_CONNECTING};
	if (is_further_path(sk))
		return;
	owner_here(&tcp.owner);
	if (want_attempts) {
		tcp.cookie = bpf_get_socket_cookie(sk);
		bpf_map_update_elem(&connecting, &tcp.cookie, &tcp.cookie, BPF_ANY);
	}
	put_connect(sk, &tcp);
	if (sk->__sk_common.skc_dport == __builtin_bswap16(53)) {
		struct note *note = bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (note)
			note->owner = tcp.owner;
	}
}

INLINE void on_listen(struct sock *sk)
{
	struct owner owner = {};
	owner_here(&owner);
	struct listener_key key = {sk->__sk_common.skc_net.net->ns.inum, sk->__sk_common.skc_num};
	bpf_map_update_elem(&listeners, &key, &owner, BPF_ANY);
}

/* A connection of ours is established. Without `tcp` its SYN was not seen, or found the table full. */
INLINE void on_connected(struct sock *sk, struct tcp *tcp)
{
	if (!tcp && is_further_path(sk))
		return;
	u64 now_ns = bpf_ktime_get_boot_ns();
	u64 cookie = bpf_get_socket_cookie(sk);
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
	/* the table is for those that wait: a burst of others must not push them out */
	if (want_attempts)
		bpf_map_delete_elem(&connecting, &cookie);
	if (want_closes) {
		tcp->stage = STAGE_CONNECTED;
		tcp->cookie = cookie;
		tcp->since_ns = now_ns;
	} else {
		drop_connect(sk);
	}
}

/* A listener's child is ready to be accepted, or was already: Fast Open hands it out before the handshake's end. */
INLINE void on_child_established(struct sock *sk, struct tcp *early)
{
	if (is_further_path(sk))
		return;
	u64 id = id_of(sk);
	/* no child: two that connected to each other at once; a child has a struct socket only once it is accepted */
	if (sk->sk_socket) {
		struct tcp *own = find_connect(sk);
		if (own && own->stage == STAGE_CONNECTING) {
			on_connected(sk, own);
			return;
		}
	}
	struct tcp tcp = {
		.cookie = bpf_get_socket_cookie(sk), .since_ns = bpf_ktime_get_boot_ns(), .stage = STAGE_WAITING};
	if (early && early->stage == STAGE_ACCEPTED && !early->cookie) {
		early->cookie = tcp.cookie;
		early->since_ns = tcp.since_ns;
		emit_tcp(sk, &early->owner, tcp.cookie, KIND_ACCEPT, ATTRIBUTION_CALLER);
		if (!want_closes)
			bpf_map_delete_elem(&tcps, &id);
		return;
	}
	/* told of twice, see set_state_again */
	if (early && early->cookie == tcp.cookie)
		return;
	ends_of_open(&tcp.ends, sk);
	put_tcp(&tcps, id, &tcp);
}

/* `again`: from the second program, where no note may as well mean that the first has told of it already. */
INLINE void on_established(struct sock *sk, int old, bool again)
{
	u64 id = id_of(sk);
	if (old == TCP_SYN_SENT) {
		struct tcp *own = find_connect(sk);
		if (own ? own->stage == STAGE_CONNECTING : !again)
			on_connected(sk, own);
	} else if (old == TCP_SYN_RECV) {
		on_child_established(sk, bpf_map_lookup_elem(&tcps, &id));
	}
}

/* Whoever takes a connection out of STAGE_WAITING tells of it: accept() on one processor, its end on another. */
INLINE bool take(struct tcp *tcp, u64 stage)
{
	return __sync_val_compare_and_swap(&tcp->stage, STAGE_WAITING, stage) == STAGE_WAITING;
}

/* Found to be the owner's while it waits: all there is to tell was read when it was established. */
INLINE bool take_waiting(struct tcp *tcp, const struct owner *owner, u64 id)
{
	/* before it is taken: its end on another processor is then told as this process's */
	tcp->owner = *owner;
	if (!take(tcp, STAGE_ACCEPTED))
		return false;
	struct connection_record *record =
		reserve(KIND_ACCEPT, ATTRIBUTION_CALLER, IPPROTO_TCP, bpf_ktime_get_boot_ns());
	if (record) {
		record->owner = *owner;
		record->cookie = tcp->cookie;
		put_ends(record, &tcp->ends);
		submit(record);
	}
	if (!want_closes)
		bpf_map_delete_elem(&tcps, &id);
	return true;
}

/* Used, and not accepted by a call that was seen: io_uring for one. The current process has it. */
INLINE void on_use(struct sock *sk)
{
	u64 id = id_of(sk);
	struct tcp *tcp = bpf_map_lookup_elem(&tcps, &id);
	if (!tcp || tcp->stage != STAGE_WAITING || !READ(sk, sk_socket))
		return;
	struct owner owner = {};
	owner_here(&owner);
	take_waiting(tcp, &owner, id);
}

/*
 * Closed as nobody's, as far as is known. Tells whether it was someone's: one that no process has, has no socket.
 * Records come in the order in which they are reserved: so these are before whatever accept() claims.
 */
INLINE bool on_closed_waiting(struct sock *sk, struct tcp *tcp, int old)
{
	if (tcp->stage != STAGE_WAITING || !READ(sk, sk_socket))
		return false;
	struct connection_record *accept =
		reserve(KIND_ACCEPT, ATTRIBUTION_PENDING, IPPROTO_TCP, bpf_ktime_get_boot_ns());
	struct close_record *close = want_closes ? reserve_close() : NULL;
	bool ours = take(tcp, STAGE_TOLD);
	if (ours) {
		struct listener_key key = {tcp->ends.netns, tcp->ends.local_port};
		struct owner *owner = bpf_map_lookup_elem(&listeners, &key);
		if (owner)
			tcp->owner = *owner;
	}
	if (accept && ours) {
		accept->owner = tcp->owner;
		accept->cookie = tcp->cookie;
		put_ends(accept, &tcp->ends);
		submit(accept);
	} else if (accept) {
		bpf_ringbuf_discard(accept, BPF_RB_NO_WAKEUP);
	}
	if (close && ours) {
		fill_close(close, sk, tcp, old);
		bpf_ringbuf_submit(close, BPF_RB_NO_WAKEUP);
	} else if (close) {
		bpf_ringbuf_discard(close, BPF_RB_NO_WAKEUP);
	}
	return ours;
}

INLINE void on_connect_closed(struct sock *sk, int old)
{
	struct tcp *tcp = find_connect(sk);
	if (!tcp)
		return;
	bool same = !tcp->cookie || tcp->cookie == bpf_get_socket_cookie(sk);
	if (same && want_attempts && tcp->stage == STAGE_CONNECTING)
		emit_tcp(sk, &tcp->owner, tcp->cookie, KIND_ATTEMPT, ATTRIBUTION_CALLER);
	if (same && want_closes && tcp->stage == STAGE_CONNECTED)
		emit_close(sk, tcp, old);
	drop_connect(sk);
}

INLINE void on_accept_closed(struct sock *sk, int old)
{
	u64 id = id_of(sk);
	struct tcp *tcp = bpf_map_lookup_elem(&tcps, &id);
	if (!tcp)
		return;
	if (!tcp->cookie || tcp->cookie == bpf_get_socket_cookie(sk)) {
		/* the exit of accept(), which may be under way, claims it */
		if (on_closed_waiting(sk, tcp, old))
			return;
		/* an early one without a cookie never came to be */
		if (want_closes && tcp->cookie && tcp->stage == STAGE_ACCEPTED)
			emit_close(sk, tcp, old);
	}
	bpf_map_delete_elem(&tcps, &id);
}

INLINE void on_closed(struct sock *sk, int old)
{
	if (old != TCP_SYN_SENT)
		on_accept_closed(sk, old);
	/* SYN_RECV: two that connected to each other */
	if (old == TCP_SYN_SENT || old == TCP_SYN_RECV || want_closes)
		on_connect_closed(sk, old);
}

/*
 * A program does not run where it interrupts itself, as one connection's change of state in a soft interrupt does
 * another's. So there are two: the first leaves word of what it runs for, the second runs where that is another
 * change than its own. What they call does no harm twice.
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
	else if (new == TCP_CLOSE)
		on_closed(sk, old);
	else if (new == TCP_LISTEN)
		on_listen(sk);
	/* its process closes it */
	else if (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK)
		on_use(sk);
}

/* Whether `on_state` does anything: not for FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, CLOSING and the like. */
INLINE bool matters(u64 state)
{
	return 1 << (state & 31) & (1 << TCP_SYN_SENT | 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE | 1 << TCP_LISTEN |
				    1 << TCP_FIN_WAIT1 | 1 << TCP_LAST_ACK);
}

INLINE int on_change(u64 *ctx, bool again)
{
	struct sock *sk = (void *)ctx[0];
	u32 zero = 0;
	if (!matters(ctx[2]) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	struct change *change = bpf_map_lookup_elem(&changes, &zero);
	if (!change || (again && change->sk == id_of(sk) && change->state == ctx[2]))
		return 0;
	if (!again) {
		change->sk = id_of(sk);
		change->state = ctx[2];
	}
	on_state(sk, ctx[1], ctx[2], again);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int set_state(u64 *ctx)
{
	return on_change(ctx, false);
}

SEC("tp_btf/inet_sock_set_state")
int set_state_again(u64 *ctx)
{
	return on_change(ctx, true);
}

INLINE u64 cookie_of(struct sock *sk)
{
	return READ(sk, __sk_common.skc_cookie.counter);
}

/* The socket behind a descriptor of the current process; untrusted: for READ only. `is_socket`: it surely is one. */
INLINE struct sock *socket_of_fd(struct task_struct *task, int fd, bool is_socket)
{
	if (fd < 0)
		return NULL;
	struct fdtable *table = task->files->fdt;
	if ((u32)fd >= table->max_fds)
		return NULL;
	struct file **files = table->fd;
	struct file *file = NULL;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)files + 8 * (u64)fd);
	if (!file || (!is_socket && (READ(READ(file, f_inode), i_mode) & 0170000) != 0140000))
		return NULL;
	struct socket *socket = READ(file, private_data);
	return READ(socket, sk);
}

/* The TCP socket that it is, or that stands for it; NULL if it is of another protocol. */
INLINE struct sock *tcp_socket(struct sock *sk)
{
	u16 family = READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return NULL;
	u16 protocol = READ(sk, sk_protocol);
	/* MPTCP's own socket stands for its paths; the first of them has the handshake */
	if (protocol == IPPROTO_MPTCP) {
		struct sock *first = READ((struct mptcp_sock *)sk, first);
		return first ? first : sk;
	}
	return protocol == IPPROTO_TCP ? sk : NULL;
}

static __attribute__((noinline)) int on_accepted(int fd, bool must_be_waiting)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sock *sk = socket_of_fd(task, fd, !must_be_waiting);
	if (!sk)
		return 0;
	u64 id = id_of(sk);
	struct tcp *tcp = bpf_map_lookup_elem(&tcps, &id);
	if (!tcp) {
		sk = tcp_socket(sk);
		if (!sk)
			return 0;
		id = id_of(sk);
		tcp = bpf_map_lookup_elem(&tcps, &id);
	}
	if (!tcp && must_be_waiting)
		return 0;
	struct owner owner = {};
	owner_here(&owner);
	if (tcp && tcp->stage == STAGE_WAITING && take_waiting(tcp, &owner, id))
		return 0;
	u64 cookie = cookie_of(sk);
	if (tcp && tcp->cookie == cookie) {
		/* told already: by its first use, or by its end, which did not know whose it was */
		if (tcp->stage == STAGE_TOLD) {
			const struct peer nobody = {};
			claim(&owner, KIND_ACCEPT, 0, cookie, &nobody);
			bpf_map_delete_elem(&tcps, &id);
		}
		return 0;
	}
	/* what a supervisor took for it is told as the supervisor's; what it took from elsewhere was not accepted */
	if (!counted(COUNTER_TCPS_FULL) && is_supervised(task))
		return 0;
	struct tcp fresh = {.owner = owner, .cookie = cookie, .stage = STAGE_ACCEPTED};
	u8 state = READ(sk, __sk_common.skc_state);
	/* Fast Open: told once the handshake is over, if it ever is */
	bool early = state == TCP_SYN_RECV;
	if (!early)
		emit_tcp(sk, &owner, cookie, KIND_ACCEPT, ATTRIBUTION_CALLER);
	/* its end was nobody's then */
	if (want_closes && state == TCP_CLOSE)
		emit_close(sk, &fresh, state);
	if ((early || want_closes) && state != TCP_CLOSE)
		put_tcp(&tcps, id, &fresh);
	return 0;
}

/* A connect() that failed before a SYN: no route, no address, a filter. Its address is the one that was asked for. */
static __attribute__((noinline)) int on_connect_failed(int fd, const void *address, int error)
{
	struct task_struct *task = bpf_get_current_task_btf();
	/* not yet told: EALREADY, EINPROGRESS, EINTR and the like; not an outcome: mistakes in the call */
	if (error != EPERM && error != EACCES && error != EADDRNOTAVAIL && error != ENETUNREACH &&
	    error != ECONNRESET && error != ETIMEDOUT && error != ECONNREFUSED && error != EHOSTUNREACH)
		return 0;
	struct sock *sk = socket_of_fd(task, fd, false);
	sk = sk ? tcp_socket(sk) : NULL;
	if (!sk)
		return 0;
	u64 cookie = cookie_of(sk);
	if (bpf_map_lookup_elem(&connecting, &cookie)) {
		bpf_map_delete_elem(&connecting, &cookie);
		return 0;
	}
	struct {
		u16 family, port;
		u32 ipv4;
		u8 ipv6[16];
		u32 scope;
	} to = {};
	if (bpf_probe_read_user(&to, 16, address))
		return 0;
	if (to.family == AF_INET6 && bpf_probe_read_user(&to, sizeof(to), address))
		return 0;
	if (to.family != AF_INET && to.family != AF_INET6)
		return 0;
	struct owner owner;
	owner_here(&owner);
	struct connection_record *record = reserve(KIND_ATTEMPT, ATTRIBUTION_CALLER, IPPROTO_TCP, bpf_ktime_get_boot_ns());
	if (!record)
		return 0;
	record->owner = owner;
	record->cookie = 0;
	ends_of(record, sk);
	record->error = error;
	record->peer_port = __builtin_bswap16(to.port);
	if (to.family == AF_INET)
		map_ipv4(record->peer, to.ipv4);
	else
		copy_address(record->peer, to.ipv6);
	submit(record);
	return 0;
}

SEC("tp_btf/sys_exit")
int sys_exit(u64 *ctx)
{
	struct call call = call_of((void *)ctx[0]);
	long result = ctx[1];
	if (call.kind == CALL_ACCEPT)
		on_accepted(result, false);
	else if (want_attempts && call.kind == CALL_CONNECT && result < 0)
		on_connect_failed(call.fd, call.address, -result);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int io_uring_complete(u64 *ctx)
{
	struct io_kiocb *request = (void *)ctx[1];
	struct io_uring_cqe *cqe = (void *)ctx[2];
	/* of multishot requests only the last completion names its request: whatever else a result may be, only a
	   socket that waits to be accepted is taken */
	if (cqe->res >= 0 && (!request || READ(request, opcode) == IORING_OP_ACCEPT))
		on_accepted(cqe->res, true);
	return 0;
}

/* A packet of a TCP socket goes out. */
INLINE void on_tcp_sent(struct __sk_buff *skb, struct bpf_sock *sk)
{
	(void)skb;
	(void)sk;
}

#endif
