/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a process takes a connection, by one of three ways; and connect() that fails before its SYN. */
#ifndef PROCWIRE_ACCEPT_H
#define PROCWIRE_ACCEPT_H

#include "tcp.h"

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

/* Accepted by the current process. The verifier does not vouch for `sk`: its own storage is out of reach. */
INLINE void on_accept_unvouched(struct sock *sk)
{
	u64 cookie = sk ? READ(sk, __sk_common.skc_cookie.counter) : 0;
	if (!cookie)
		return;
	struct tcp *tcp = slot_of(cookie);
	struct owner owner;
	if (tcp && tcp->cookie == cookie) {
		if (tcp->stage == STAGE_REPORTED)
			return;
		owner_here(&owner);
		on_owner_seen(sk, tcp, &owner);
	} else if (lacks_note(cookie, READ((struct tcp_sock *)sk, segs_out)) && !is_further_path(sk)) {
		owner_here(&owner);
		emit_tcp(sk, &owner, cookie, KIND_ACCEPT, ATTRIBUTION_CALLER);
		if (tcp && may_take(tcp, tcp->stage, cookie, bpf_jiffies64())) {
			tcp->cookie = cookie;
			tcp->stage = STAGE_REPORTED;
		}
	}
}

/* The kernel gives a connection its socket, in the process that accepts it: whichever system call that is. */
INLINE void on_grafted(struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;
	if (family != AF_INET && family != AF_INET6)
		return;
	if (sk->sk_protocol == IPPROTO_TCP)
		on_accept(sk, bpf_get_socket_cookie(sk));
	else if (sk->sk_protocol == IPPROTO_MPTCP)
		on_accept_unvouched(tcp_socket(sk));
}

SEC("fentry/security_sock_graft")
int sock_graft(u64 *ctx)
{
	on_grafted((void *)ctx[0]);
	return 0;
}

/* The same in kernels without security modules, from Linux 6.10 on and before: the result stands behind the arguments. */
SEC("fexit/inet_csk_accept")
int csk_accept(u64 *ctx)
{
	struct sock *sk = (void *)ctx[2];
	if (sk)
		on_grafted(sk);
	return 0;
}

SEC("fexit/inet_csk_accept")
int csk_accept_before_6_10(u64 *ctx)
{
	struct sock *sk = (void *)ctx[4];
	if (sk)
		on_grafted(sk);
	return 0;
}

/*
 * accept() that requests the address; getpeername() runs it too, and then finds nothing that waits. Of MPTCP the socket
 * stands for its paths: the first of them has the handshake.
 */
INLINE int on_getpeername(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	if (!sk)
		return ALLOW;
	if (sk->protocol == IPPROTO_TCP) {
		struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
		if (tcp)
			on_accept((struct sock *)tcp, bpf_get_socket_cookie(ctx));
	}
	return ALLOW;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	return on_getpeername(ctx);
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	return on_getpeername(ctx);
}

/*
 * A packet goes out. While its socket is locked by a process, and not by a soft interrupt, that is the current one: the
 * first packet of a connection that waits shows whose it is.
 */
static __attribute__((noinline)) int on_tcp_sent(struct __sk_buff *skb, struct bpf_sock *bpf_sk)
{
	u64 cookie = bpf_get_socket_cookie(skb);
	struct tcp *tcp = slot_of(cookie);
	if (tcp && tcp->cookie == cookie && tcp->stage != STAGE_WAITING && tcp->stage != STAGE_CONNECTING)
		return 0;
	/* not in its slot: it was pushed out when it was reported, or is in its own storage, or has no note */
	if (tcp && tcp->cookie > cookie && !counted(COUNTER_OVERFLOWED))
		return 0;
	struct tcp_sock *data = bpf_skc_to_tcp_sock(bpf_sk);
	if (!data)
		return 0;
	struct sock *sk = (struct sock *)data;
	u8 state = sk->__sk_common.skc_state;
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV || state == TCP_LISTEN)
		return 0;
	tcp = FIND_TCP(bpf_sk, cookie);
	if (tcp && tcp->stage == STAGE_CONNECTING) {
		/* that it was established was missed */
		emit_tcp(sk, &tcp->owner, cookie, KIND_CONNECT, ATTRIBUTION_CALLER);
		tcp->stage = want_closes ? STAGE_CONNECTED : STAGE_REPORTED;
	}
	if (accept_hook == ACCEPT_GRAFT || !sk->sk_lock.owned || !is_users(sk))
		return 0;
	u32 segments = skb->gso_segs ? skb->gso_segs : 1;
	if (tcp ? tcp->stage != STAGE_WAITING : !lacks_note(cookie, data->segs_out - segments))
		return 0;
	struct owner owner;
	owner_here(&owner);
	if (tcp)
		take_waiting(tcp, &owner, ATTRIBUTION_CALLER);
	else if (!is_further_path(sk))
		on_accepted_unnoted(sk, &owner, cookie, false);
	return 0;
}

/* The end of a system call, as perf has it; only calls of 64-bit programs run this. */
struct call_end {
	u64 common;
	long number;
	long result;
};

/* The socket behind a descriptor of the current process; untrusted: for READ only. */
INLINE struct sock *socket_of_fd(struct task_struct *task, int fd)
{
	if (fd < 0)
		return NULL;
	struct fdtable *table = task->files->fdt;
	if ((u32)fd >= table->max_fds)
		return NULL;
	struct file **files = table->fd;
	struct file *file = NULL;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)files + 8 * (u64)fd);
	if (!file || (READ(READ(file, f_inode), i_mode) & 0170000) != 0140000)
		return NULL;
	struct socket *socket = READ(file, private_data);
	return READ(socket, sk);
}

INLINE void on_call_accepted(long result)
{
	struct sock *sk = socket_of_fd(bpf_get_current_task_btf(), result);
	if (sk)
		on_accept_unvouched(tcp_socket(sk));
}

SEC("tracepoint/syscalls/sys_exit_accept")
int exit_accept(struct call_end *ctx)
{
	on_call_accepted(ctx->result);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int exit_accept4(struct call_end *ctx)
{
	on_call_accepted(ctx->result);
	return 0;
}

INLINE long read_address(void *to, u32 size, const void *address, bool in_kernel)
{
	return in_kernel ? bpf_probe_read_kernel(to, size, address) : bpf_probe_read_user(to, size, address);
}

/* A connect() that failed before a SYN: no route, no address, a filter. Its address is the requested one. */
static __attribute__((noinline)) int on_connect_failed(struct sock *sk, const void *address, int error, bool in_kernel)
{
	/* not an end yet: EALREADY, EINPROGRESS, EINTR and similar; not an outcome: mistakes in the call */
	if (error != EPERM && error != EACCES && error != EADDRNOTAVAIL && error != ENETUNREACH &&
	    error != ECONNRESET && error != ETIMEDOUT && error != ECONNREFUSED && error != EHOSTUNREACH)
		return 0;
	if (!sk)
		return 0;
	/* its SYN was sent, so its end was reported */
	u64 cookie = READ(sk, __sk_common.skc_cookie.counter);
	struct tcp *tcp = slot_of(cookie);
	if (cookie && tcp && tcp->cookie == cookie)
		return 0;
	struct {
		u16 family, port;
		u32 ipv4;
		u8 ipv6[16];
		u32 scope;
	} to = {};
	if (read_address(&to, 16, address, in_kernel))
		return 0;
	if (to.family == AF_INET6 && read_address(&to, sizeof(to), address, in_kernel))
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

/* Whichever call requests it: io_uring's, and those of 32-bit programs, too. */
SEC("fexit/inet_stream_connect")
int stream_connect(u64 *ctx)
{
	int result = ctx[4];
	if (result >= 0)
		return 0;
	struct socket *socket = (void *)ctx[0];
	return on_connect_failed(tcp_socket(READ(socket, sk)), (void *)ctx[1], -result, true);
}

SEC("tracepoint/syscalls/sys_exit_connect")
int exit_connect(struct call_end *ctx)
{
	if (ctx->result >= 0)
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = bpf_task_pt_regs(task);
	struct sock *sk = socket_of_fd(task, FIRST_ARGUMENT(regs));
	sk = sk ? tcp_socket(sk) : NULL;
	return on_connect_failed(sk, (void *)SECOND_ARGUMENT(regs), -ctx->result, false);
}

#endif
