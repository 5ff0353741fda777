/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side of the recorder: which process connected, accepted, sent to or received from whom.
 *
 * It stands on typed tracepoints (tp_btf), control group programs and one iterator; no kprobe, fentry, LSM.
 * TCP is told by inet_sock_set_state and the exits of accept(). UDP is told by the datagrams themselves, at the root
 * of cgroup v2, so that addresses are those on the wire. A socket's owner is kept in the socket's own storage, which
 * the kernel frees with it. Programs of control groups only look: every path returns ALLOW.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ALLOW 1

/* Settings, written by the loader before the program is loaded. */
const volatile u64 udp_idle_ns = 30ULL * 60 * 1000 * 1000 * 1000;
const volatile u8 want_attempts = 0;
const volatile u8 want_closes = 0;
const volatile u8 want_existing = 0;
/* whether sock_send_length and sock_recv_length are there to say who really used a socket */
const volatile u8 have_claims = 0;

/* What is known of a TCP socket, from its SYN or its handshake on; kept to its end only with want_closes. */
enum stage {
	/* owner: who connects */
	STAGE_CONNECTING = 1,
	STAGE_CONNECTED,
	/* a listener's child, of no process yet */
	STAGE_WAITING,
	/* owner: who accepted it */
	STAGE_ACCEPTED,
	/* closed before the exit of an accept() that may be under way: told as PENDING, for that exit to claim */
	STAGE_TOLD,
};

struct ends {
	u8 local[16];
	struct peer peer;
	u32 netns;
	u32 local_port;
};

struct tcp {
	struct owner owner;
	/* 0 where none was given yet; tells a socket from a later one at the same address */
	u64 cookie;
	u64 since_ns;
	u64 stage;
	/* of a child: read when it is established, where that is cheap, for whoever accepts it */
	struct ends ends;
};

struct listener_key {
	u32 netns;
	u32 port;
};

/* What is known of a UDP socket, and of a TCP socket that asks a DNS server. */
struct note {
	struct owner owner;
	u32 netns;
	/* the reader's hook with the address ran, the one without has nothing to add */
	u8 named;
	u8 claim_sent;
	u8 is_udp;
	u8 pad;
	/* flows received whose reader is not known */
	u32 unread;
	u32 pad2;
	/* the latest flow, spared a look into the table */
	u64 flow_ns;
	struct peer flow;
};

struct flow_key {
	u64 cookie;
	struct peer peer;
};

struct flow {
	u64 last_ns;
	u64 unread;
};

struct told {
	u64 start_boot_ns;
	u64 cgroup_id;
	u64 exec_id;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} ring SEC(".maps");

/* Memory that user space maps, so that it needs no bpf() once it has given up its privileges. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct note);
} notes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

/*
 * By the address of the struct sock, since what accept() gives cannot be trusted with more. A table made beforehand:
 * storage in the socket costs an allocation for each connection, and its release.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct tcp);
} tcps SEC(".maps");

/* The same for the side that connects: who fills the one by connecting and waiting takes nobody's name here. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct tcp);
} connects SEC(".maps");

/* Who listens: the owner of a connection that was accepted in a way that is not seen. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct listener_key);
	__type(value, struct owner);
} listeners SEC(".maps");

/* Processes that user space was told of, by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct told);
} told SEC(".maps");

/* Sockets, by cookie, that sent a SYN whose end no connect() has told of yet; only with want_attempts. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} connecting SEC(".maps");

INLINE void count(u32 index)
{
	u64 *value = bpf_map_lookup_elem(&counters, &index);
	if (value)
		__sync_fetch_and_add(value, 1);
}

INLINE void copy_address(u8 to[16], const void *from)
{
	__builtin_memcpy(to, from, 16);
}

INLINE void map_ipv4(u8 to[16], u32 address)
{
	u32 words[4] = {0, 0, __builtin_bswap32(0xffff), address};
	__builtin_memcpy(to, words, 16);
}

INLINE u64 id_of(struct sock *sk)
{
	return (u64)sk;
}

/* --- processes --- */

INLINE void owner_of(struct owner *owner, struct task_struct *task)
{
	owner->start_boot_ns = task->group_leader->start_boottime;
	owner->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	owner->exec_id = task->self_exec_id;
	owner->tgid = task->tgid;
	owner->uid = task->cred->uid.val;
}

/*
 * Global functions, with the kernel's objects as numbers: the verifier then looks at each once, not at every call.
 */

#define TRUNCATED 0x80000000u

/* The names from a file up to the root of its mount namespace, leaf first. The bytes written, or with TRUNCATED. */
__attribute__((noinline)) u32 put_path(struct names *to, u64 file_address)
{
	struct file *file = (void *)file_address;
	u32 length = 0;
	if (!to || !file)
		return 0;
	struct dentry *dentry = READ(file, f_path.dentry);
	struct vfsmount *vfsmount = READ(file, f_path.mnt);
	for (int i = 0; i < 80; i++) {
		struct dentry *parent = READ(dentry, d_parent);
		if (dentry == READ(vfsmount, mnt_root)) {
			struct mount *mount =
				(void *)vfsmount - __builtin_preserve_field_info(((struct mount *)0)->mnt, FIELD_BYTE_OFFSET);
			struct mount *mount_parent = READ(mount, mnt_parent);
			if (mount == mount_parent)
				return length;
			dentry = READ(mount, mnt_mountpoint);
			vfsmount = (void *)mount_parent +
				   __builtin_preserve_field_info(((struct mount *)0)->mnt, FIELD_BYTE_OFFSET);
			continue;
		}
		if (length > PATH_BYTES)
			break;
		long wrote = bpf_probe_read_kernel_str(to->bytes + length, NAME_BYTES, READ(dentry, d_name.name));
		if (wrote <= 0)
			break;
		length += wrote & (NAME_BYTES * 2 - 1);
		/* in no tree: memfd and the like */
		if (dentry == parent)
			return length;
		dentry = parent;
	}
	return length | TRUNCATED;
}

INLINE struct kernfs_node *parent_node(struct kernfs_node *node)
{
	if (HAS_FIELD((struct kernfs_node *)0, __parent))
		return READ(node, __parent);
	return (void *)READ((struct kernfs_node___before_6_15 *)node, parent);
}

/* Likewise the names from a control group up to the root. */
__attribute__((noinline)) u32 put_cgroup(struct names *to, u64 node_address)
{
	struct kernfs_node *node = (void *)node_address;
	u32 length = 0;
	if (!to || !node)
		return 0;
	for (int i = 0; i < 40; i++) {
		struct kernfs_node *parent = parent_node(node);
		if (!parent)
			return length;
		if (length > PATH_BYTES)
			break;
		long wrote = bpf_probe_read_kernel_str(to->bytes + length, NAME_BYTES, READ(node, name));
		if (wrote <= 0)
			break;
		length += wrote & (NAME_BYTES * 2 - 1);
		node = parent;
	}
	return length | TRUNCATED;
}

/*
 * Tell user space of a process, unless it knows. `here`: it is the current one, whose memory can be read. Returns
 * whether it knows now.
 */
__attribute__((noinline)) int tell(u64 task_address, const struct owner *owner, u32 here)
{
	struct task_struct *task = (void *)task_address;
	if (!owner)
		return 0;
	u32 tgid = owner->tgid;
	struct told *known = bpf_map_lookup_elem(&told, &tgid);
	if (known && known->start_boot_ns == owner->start_boot_ns && known->exec_id == owner->exec_id &&
	    known->cgroup_id == owner->cgroup_id)
		return 1;
	struct process_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(COUNTER_LOST_PROCESS);
		return 0;
	}
	record->type = RECORD_PROCESS;
	record->pad[0] = record->pad[1] = 0;
	record->owner = *owner;
	record->command_bytes = 0;
	u32 executable = 0, parent_executable = 0;
	struct mm_struct *mm = READ(task, mm);
	if (mm)
		executable = put_path(&record->executable, (u64)READ(mm, exe_file));
	struct task_struct *leader = READ(task, group_leader);
	struct task_struct *parent = READ(leader, real_parent);
	parent = READ(parent, group_leader);
	record->parent_tgid = READ(parent, tgid);
	record->parent_start_boot_ns = READ(parent, start_boottime);
	struct mm_struct *parent_mm = READ(parent, mm);
	if (parent_mm)
		parent_executable = put_path(&record->parent_executable, (u64)READ(parent_mm, exe_file));
	struct css_set *cgroups = READ(task, cgroups);
	struct cgroup *cgroup = READ(cgroups, dfl_cgrp);
	u32 group = put_cgroup(&record->cgroup, (u64)READ(cgroup, kn));
	record->executable_bytes = executable;
	record->parent_executable_bytes = parent_executable;
	record->cgroup_bytes = group;
	record->truncated = (executable | parent_executable | group) >> 31;
	if (mm && here) {
		unsigned long start = READ(mm, arg_start);
		u64 size = READ(mm, arg_end) - start;
		if (size > COMMAND_BYTES)
			size = COMMAND_BYTES;
		if (bpf_probe_read_user(record->command, size, (void *)start) == 0)
			record->command_bytes = size;
	}
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	struct told now = {owner->start_boot_ns, owner->cgroup_id, owner->exec_id};
	bpf_map_update_elem(&told, &tgid, &now, BPF_ANY);
	return 1;
}

/* The process told of last on each processor: mostly it is the same again, and no look into the table is needed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct owner);
} recent SEC(".maps");

/* The current process, which user space then knows. */
INLINE void owner_here(struct owner *owner)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 zero = 0;
	owner_of(owner, task);
	struct owner *last = bpf_map_lookup_elem(&recent, &zero);
	if (last && last->tgid == owner->tgid && last->start_boot_ns == owner->start_boot_ns &&
	    last->exec_id == owner->exec_id && last->cgroup_id == owner->cgroup_id)
		return;
	if (tell(bpf_get_current_task(), owner, true) && last)
		*last = *owner;
}

/* Who really used a socket that was told of as PENDING. */
INLINE void claim(const struct owner *owner, u8 kind, u8 has_peer, u64 cookie, const struct peer *peer)
{
	struct claim_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(COUNTER_LOST_CLAIM);
		return;
	}
	record->type = RECORD_CLAIM;
	record->kind = kind;
	record->has_peer = has_peer;
	__builtin_memset(record->pad, 0, sizeof(record->pad));
	record->cookie = cookie;
	record->owner = *owner;
	record->peer = *peer;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* --- TCP --- */

INLINE u32 netns_of(struct sock *sk)
{
	return READ(READ(sk, __sk_common.skc_net.net), ns.inum);
}

/* The addresses of a socket; IPv4 in IPv6's clothes (an IPv6 socket that speaks IPv4) comes out as IPv4 does. */
INLINE void addresses_of(struct ends *ends, struct sock *sk)
{
	if (READ(sk, __sk_common.skc_family) == AF_INET) {
		map_ipv4(ends->local, READ(sk, __sk_common.skc_rcv_saddr));
		map_ipv4(ends->peer.address, READ(sk, __sk_common.skc_daddr));
	} else {
		struct in6_addr remote = READ(sk, __sk_common.skc_v6_daddr);
		struct in6_addr local = READ(sk, __sk_common.skc_v6_rcv_saddr);
		copy_address(ends->local, &local);
		copy_address(ends->peer.address, &remote);
	}
}

INLINE void put_ends(struct connection_record *record, const struct ends *ends)
{
	copy_address(record->local, ends->local);
	record->peer = ends->peer;
	record->netns = ends->netns;
	record->local_port = ends->local_port;
}

INLINE void ends_of(struct connection_record *record, struct sock *sk)
{
	struct ends ends = {};
	addresses_of(&ends, sk);
	/* a closed socket has given its skc_num back */
	ends.local_port = __builtin_bswap16(READ((struct inet_sock *)sk, inet_sport));
	ends.peer.port = __builtin_bswap16(READ(sk, __sk_common.skc_dport));
	ends.netns = netns_of(sk);
	put_ends(record, &ends);
}

/* The same of a socket that the verifier vouches for and that is open, without a call for each member. */
INLINE void ends_of_open(struct ends *ends, struct sock *sk)
{
	if (sk->__sk_common.skc_family == AF_INET) {
		map_ipv4(ends->local, sk->__sk_common.skc_rcv_saddr);
		map_ipv4(ends->peer.address, sk->__sk_common.skc_daddr);
	} else {
		addresses_of(ends, sk);
	}
	ends->local_port = sk->__sk_common.skc_num;
	ends->peer.port = __builtin_bswap16(sk->__sk_common.skc_dport);
	ends->netns = sk->__sk_common.skc_net.net->ns.inum;
}

INLINE struct connection_record *reserve(u8 kind, u8 attribution, u8 protocol, u64 now_ns)
{
	struct connection_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(COUNTER_LOST_CONNECTION);
		return NULL;
	}
	record->type = RECORD_CONNECTION;
	record->kind = kind;
	record->attribution = attribution;
	record->protocol = protocol;
	record->state = 0;
	record->initiated = kind == KIND_CONNECT || kind == KIND_SENT || kind == KIND_ATTEMPT;
	record->error = 0;
	record->time_boot_ns = now_ns;
	record->duration_ns = record->sent_bytes = record->received_bytes = 0;
	record->sent_packets = record->received_packets = 0;
	return record;
}

INLINE void submit(struct connection_record *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

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

INLINE void fill_close(struct connection_record *record, struct sock *sk, const struct tcp *tcp, int state)
{
	struct tcp_sock *data = (void *)sk;
	record->owner = tcp->owner;
	record->cookie = tcp->cookie;
	ends_of(record, sk);
	record->state = state;
	record->initiated = tcp->stage == STAGE_CONNECTED;
	record->error = READ(sk, sk_err);
	record->duration_ns = tcp->since_ns ? record->time_boot_ns - tcp->since_ns : 0;
	/* data only: the kernel's count of what came in has the peer's FIN in it */
	record->sent_bytes = READ(data, bytes_sent) - READ(data, bytes_retrans);
	record->received_bytes = READ(data, bytes_received);
	if (record->received_bytes && READ(sk, __sk_common.skc_flags) & SOCK_DONE)
		record->received_bytes -= 1;
	record->sent_packets = READ(data, segs_out);
	record->received_packets = READ(data, segs_in);
}

INLINE struct connection_record *reserve_close(void)
{
	return reserve(KIND_CLOSE, ATTRIBUTION_CALLER, IPPROTO_TCP, bpf_ktime_get_boot_ns());
}

INLINE void emit_close(struct sock *sk, const struct tcp *tcp, int state)
{
	struct connection_record *record = reserve_close();
	if (!record)
		return;
	fill_close(record, sk, tcp, state);
	submit(record);
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
	put_tcp(&connects, id_of(sk), &tcp);
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
	u64 id = id_of(sk);
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
		bpf_map_delete_elem(&connects, &id);
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
		struct tcp *own = bpf_map_lookup_elem(&connects, &id);
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

INLINE void on_established(struct sock *sk, int old)
{
	u64 id = id_of(sk);
	if (old == TCP_SYN_SENT) {
		struct tcp *own = bpf_map_lookup_elem(&connects, &id);
		if (!own || own->stage == STAGE_CONNECTING)
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

/* Used, and not accepted by a call that was seen: io_uring for one. The current process has it. */
INLINE void on_use(struct sock *sk)
{
	u64 id = id_of(sk);
	struct tcp *tcp = bpf_map_lookup_elem(&tcps, &id);
	if (!tcp || tcp->stage != STAGE_WAITING || !READ(sk, sk_socket))
		return;
	struct owner owner = {};
	owner_here(&owner);
	tcp->owner = owner;
	if (!take(tcp, STAGE_ACCEPTED))
		return;
	emit_tcp(sk, &owner, tcp->cookie, KIND_ACCEPT, ATTRIBUTION_CALLER);
	if (!want_closes)
		bpf_map_delete_elem(&tcps, &id);
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
	struct connection_record *close = want_closes ? reserve_close() : NULL;
	bool ours = take(tcp, STAGE_TOLD);
	if (ours) {
		/* a closed socket has given its skc_num back */
		struct listener_key key = {netns_of(sk),
					   __builtin_bswap16(READ((struct inet_sock *)sk, inet_sport))};
		struct owner *owner = bpf_map_lookup_elem(&listeners, &key);
		if (owner)
			tcp->owner = *owner;
	}
	if (accept && ours) {
		accept->owner = tcp->owner;
		accept->cookie = tcp->cookie;
		ends_of(accept, sk);
		submit(accept);
	} else if (accept) {
		bpf_ringbuf_discard(accept, BPF_RB_NO_WAKEUP);
	}
	if (close && ours) {
		fill_close(close, sk, tcp, old);
		submit(close);
	} else if (close) {
		bpf_ringbuf_discard(close, BPF_RB_NO_WAKEUP);
	}
	return ours;
}

INLINE void on_connect_closed(struct sock *sk, int old)
{
	u64 id = id_of(sk);
	struct tcp *tcp = bpf_map_lookup_elem(&connects, &id);
	if (!tcp)
		return;
	bool same = !tcp->cookie || tcp->cookie == bpf_get_socket_cookie(sk);
	if (same && want_attempts && tcp->stage == STAGE_CONNECTING)
		emit_tcp(sk, &tcp->owner, tcp->cookie, KIND_ATTEMPT, ATTRIBUTION_CALLER);
	if (same && want_closes && tcp->stage == STAGE_CONNECTED)
		emit_close(sk, tcp, old);
	bpf_map_delete_elem(&connects, &id);
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

INLINE void on_state(struct sock *sk, int old, int new)
{
	if (new == TCP_SYN_SENT)
		on_syn_sent(sk);
	else if (new == TCP_ESTABLISHED)
		on_established(sk, old);
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

SEC("tp_btf/inet_sock_set_state")
int set_state(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	u32 zero = 0;
	if (!matters(ctx[2]) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	struct change *change = bpf_map_lookup_elem(&changes, &zero);
	if (!change)
		return 0;
	change->sk = id_of(sk);
	change->state = ctx[2];
	on_state(sk, ctx[1], ctx[2]);
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
	if (!change)
		return 0;
	if (change->sk == id_of(sk) && change->state == ctx[2])
		return 0;
	on_state(sk, ctx[1], ctx[2]);
	return 0;
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

/* Accepted while it waits, as nearly all are: all there is to tell was read when it was established. */
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
	record->peer.port = __builtin_bswap16(to.port);
	if (to.family == AF_INET)
		map_ipv4(record->peer.address, to.ipv4);
	else
		copy_address(record->peer.address, to.ipv6);
	submit(record);
	return 0;
}

SEC("tp_btf/sys_exit")
int sys_exit(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	long result = ctx[1];
	int number = SYSCALL_NUMBER(regs);
	if (number == SYSCALL_ACCEPT4 || number == SYSCALL_ACCEPT)
		on_accepted(result, false);
	else if (want_attempts && number == SYSCALL_CONNECT && result < 0)
		on_connect_failed(SYSCALL_ARG0_AFTER(regs), SYSCALL_ARG1(regs), -result);
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

/* --- UDP --- */

INLINE void note_user(struct note *note)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (note->owner.tgid != task->tgid || note->owner.exec_id != task->self_exec_id)
		owner_here(&note->owner);
}

INLINE struct note *udp_note(struct sock *sk)
{
	if (sk->sk_protocol != IPPROTO_UDP)
		return NULL;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	return note && note->is_udp ? note : NULL;
}

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *sk)
{
	if (sk->type != SOCK_DGRAM || sk->protocol != IPPROTO_UDP)
		return ALLOW;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!note) {
		count(COUNTER_UNOWNED);
		return ALLOW;
	}
	note->is_udp = 1;
	note->netns = READ(bpf_get_current_task_btf()->nsproxy->net_ns, ns.inum);
	owner_here(&note->owner);
	return ALLOW;
}

SEC("tp_btf/sock_send_length")
int sock_send_length(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	if (sk->sk_protocol == IPPROTO_TCP) {
		on_use(sk);
		return 0;
	}
	struct note *note = udp_note(sk);
	if (!note)
		return 0;
	note_user(note);
	if (note->claim_sent) {
		note->claim_sent = 0;
		claim(&note->owner, KIND_SENT, 1, bpf_get_socket_cookie(sk), &note->flow);
	}
	return 0;
}

SEC("tp_btf/sock_recv_length")
int sock_recv_length(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int result = ctx[1];
	if (result < 0)
		return 0;
	if (sk->sk_protocol == IPPROTO_TCP) {
		on_use(sk);
		return 0;
	}
	struct note *note = udp_note(sk);
	if (!note)
		return 0;
	note_user(note);
	if (note->named) {
		note->named = 0;
	} else if (note->unread) {
		note->unread -= 1;
		claim(&note->owner, KIND_RECEIVED, 0, bpf_get_socket_cookie(sk), &note->flow);
	}
	return 0;
}

/* A datagram was read by a process that asked who sent it. */
INLINE void on_read_from(struct bpf_sock_addr *ctx, const struct peer *peer)
{
	struct bpf_sock *sk = ctx->sk;
	if (!sk)
		return;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note)
		return;
	note->named = 1;
	if (!note->unread)
		return;
	struct flow_key key = {.cookie = bpf_get_socket_cookie(ctx), .peer = *peer};
	struct flow *flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow || !flow->unread)
		return;
	flow->unread = 0;
	note->unread -= 1;
	struct owner owner;
	owner_here(&owner);
	claim(&owner, KIND_RECEIVED, 1, key.cookie, peer);
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	struct peer peer = {.port = __builtin_bswap16(ctx->user_port)};
	map_ipv4(peer.address, ctx->user_ip4);
	on_read_from(ctx, &peer);
	return ALLOW;
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr *ctx)
{
	struct peer peer = {.port = __builtin_bswap16(ctx->user_port)};
	u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
	copy_address(peer.address, words);
	on_read_from(ctx, &peer);
	return ALLOW;
}

/* What is needed of an IP packet. */
struct packet {
	u8 local[16];
	struct peer peer;
	/* offset of the transport's header */
	u32 transport;
};

INLINE bool parse(struct __sk_buff *skb, bool sent, struct packet *packet)
{
	u8 source[16], destination[16];
	__builtin_memset(packet, 0, sizeof(*packet));
	if (skb->protocol == __builtin_bswap16(ETH_P_IP)) {
		u8 header[20];
		u32 words[2];
		if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)))
			return false;
		packet->transport = (header[0] & 15) * 4;
		__builtin_memcpy(words, header + 12, 8);
		map_ipv4(source, words[0]);
		map_ipv4(destination, words[1]);
	} else if (skb->protocol == __builtin_bswap16(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, 8, source, 16) || bpf_skb_load_bytes(skb, 24, destination, 16))
			return false;
		u8 next = 0;
		if (bpf_skb_load_bytes(skb, 6, &next, 1))
			return false;
		packet->transport = 40;
		/* extension headers: hop-by-hop, routing, fragment, destination options */
		for (int i = 0; i < 6 && (next == 0 || next == 43 || next == 44 || next == 60); i++) {
			u8 head[2];
			if (bpf_skb_load_bytes(skb, packet->transport, head, 2))
				return false;
			packet->transport += next == 44 ? 8 : (head[1] + 1) * 8;
			next = head[0];
		}
	} else {
		return false;
	}
	u16 ports[2];
	if (bpf_skb_load_bytes(skb, packet->transport, ports, 4))
		return false;
	copy_address(packet->local, sent ? source : destination);
	copy_address(packet->peer.address, sent ? destination : source);
	packet->peer.port = __builtin_bswap16(sent ? ports[1] : ports[0]);
	return true;
}

INLINE bool same_peer(const struct peer *a, const struct peer *b)
{
	const u64 *x = (const void *)a, *y = (const void *)b;
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

INLINE void on_datagram(struct __sk_buff *skb, struct bpf_sock *sk, struct note *note, bool sent,
			const struct packet *packet)
{
	u64 now_ns = bpf_ktime_get_boot_ns();
	if (same_peer(&packet->peer, &note->flow) && now_ns - note->flow_ns < udp_idle_ns) {
		note->flow_ns = now_ns;
		return;
	}
	struct flow_key key = {.cookie = bpf_get_socket_cookie(skb), .peer = packet->peer};
	struct flow *known = bpf_map_lookup_elem(&flows, &key);
	/* what the note held goes back to the table, or a flow that took turns with others would look idle */
	if (note->flow_ns && !same_peer(&packet->peer, &note->flow)) {
		struct flow_key before = {.cookie = key.cookie, .peer = note->flow};
		struct flow *flow = bpf_map_lookup_elem(&flows, &before);
		if (flow)
			flow->last_ns = note->flow_ns;
	}
	u64 last_ns = known ? known->last_ns : 0;
	if (same_peer(&packet->peer, &note->flow) && note->flow_ns > last_ns)
		last_ns = note->flow_ns;
	note->flow = packet->peer;
	note->flow_ns = now_ns;
	if (known)
		known->last_ns = now_ns;
	if (known && now_ns - last_ns < udp_idle_ns)
		return;

	u8 attribution = ATTRIBUTION_PENDING;
	if (sent) {
		struct task_struct *task = bpf_get_current_task_btf();
		if (task->tgid == note->owner.tgid && task->self_exec_id == note->owner.exec_id)
			attribution = ATTRIBUTION_CALLER;
		else if (have_claims)
			note->claim_sent = 1;
		else if (!(task->flags & PF_KTHREAD))
			owner_here(&note->owner);
	}
	bool unread = !sent;
	struct flow flow = {.last_ns = now_ns, .unread = unread};
	if (unread)
		note->unread += 1;
	if (!known)
		count(COUNTER_FLOWS);
	bpf_map_update_elem(&flows, &key, &flow, BPF_ANY);
	struct connection_record *record = reserve(sent ? KIND_SENT : KIND_RECEIVED, attribution, IPPROTO_UDP, now_ns);
	if (!record)
		return;
	record->owner = note->owner;
	record->cookie = key.cookie;
	record->netns = note->netns;
	copy_address(record->local, packet->local);
	record->local_port = sk->src_port;
	record->peer = packet->peer;
	submit(record);
}

INLINE void on_dns(struct __sk_buff *skb, const struct note *note, const struct packet *packet, bool over_tcp)
{
	u32 start = packet->transport + 8, sequence = 0;
	if (over_tcp) {
		u8 header[13];
		if (bpf_skb_load_bytes(skb, packet->transport, header, sizeof(header)))
			return;
		__builtin_memcpy(&sequence, header + 4, 4);
		start = packet->transport + (header[12] >> 4) * 4;
	}
	u32 end = skb->len;
	if (end > start + DNS_BYTES)
		end = start + DNS_BYTES;
	u32 size = end - start;
	/* kept apart from `start`, so that the verifier sees its bounds */
	asm volatile("" : "+r"(size));
	if (size < 1 || size > DNS_BYTES)
		return;
	struct dns_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(COUNTER_LOST_DNS);
		return;
	}
	record->type = RECORD_DNS;
	record->over_tcp = over_tcp;
	record->payload_bytes = size;
	record->tgid = note->owner.tgid;
	record->start_boot_ns = note->owner.start_boot_ns;
	record->cookie = bpf_get_socket_cookie(skb);
	record->time_boot_ns = bpf_ktime_get_boot_ns();
	record->sequence = __builtin_bswap32(sequence);
	record->pad = 0;
	if (bpf_skb_load_bytes(skb, start, record->payload, size))
		record->payload_bytes = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

INLINE void on_packet(struct __sk_buff *skb, bool sent)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return;
	bool udp = sk->protocol == IPPROTO_UDP && sk->type == SOCK_DGRAM;
	bool dns_over_tcp = !sent && sk->protocol == IPPROTO_TCP && sk->dst_port == __builtin_bswap16(53);
	if (!udp && !dns_over_tcp)
		return;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	/* the kernel's own: tunnels and the like */
	if (!note)
		return;
	struct packet packet;
	if (!parse(skb, sent, &packet))
		return;
	if (udp)
		on_datagram(skb, sk, note, sent, &packet);
	if (!sent && packet.peer.port == 53)
		on_dns(skb, note, &packet, !udp);
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	on_packet(skb, true);
	return ALLOW;
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	on_packet(skb, false);
	return ALLOW;
}

/* --- what was there before --- */

/* Notes the owner of every socket that is open, and tells of those that have a peer. */
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
	if (protocol != IPPROTO_TCP && !(protocol == IPPROTO_UDP && sk->sk_type == SOCK_DGRAM))
		return 0;
	u8 state = sk->__sk_common.skc_state;
	struct owner owner = {};
	if (protocol == IPPROTO_UDP) {
		struct note *note = bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!note) {
			count(COUNTER_UNOWNED);
			return 0;
		}
		/* of several processes that have it the first */
		if (note->is_udp)
			return 0;
		owner_of(&note->owner, task);
		note->is_udp = 1;
		note->netns = netns_of(sk);
		owner = note->owner;
	} else if (state == TCP_LISTEN) {
		struct listener_key key = {netns_of(sk), sk->__sk_common.skc_num};
		if (bpf_map_lookup_elem(&listeners, &key) && !want_existing)
			return 0;
		owner_of(&owner, task);
		bpf_map_update_elem(&listeners, &key, &owner, BPF_NOEXIST);
	} else {
		u64 id = id_of(sk);
		if (bpf_map_lookup_elem(&connects, &id) || bpf_map_lookup_elem(&tcps, &id))
			return 0;
		owner_of(&owner, task);
		struct tcp tcp = {.owner = owner, .cookie = bpf_get_socket_cookie(sk)};
		tcp.stage = state == TCP_SYN_SENT ? STAGE_CONNECTING : STAGE_CONNECTED;
		/* remembered, so that of several processes that have it the first is told */
		if (state != TCP_CLOSE && (want_existing || state == TCP_SYN_SENT))
			put_tcp(&connects, id, &tcp);
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
