/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs remember, and its bounds. */
#ifndef PROCWIRE_TABLES_H
#define PROCWIRE_TABLES_H

#include "kernel.h"

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

/*
 * Those that find `connects` full are remembered by their sockets: whoever fills that makes others' connections dearer
 * (by an allocation each), and takes the process from none.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tcp);
} overflow SEC(".maps");

/* Who listens: the owner of a connection that was accepted in a way that is not seen. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct listener_key);
	__type(value, struct owner);
} listeners SEC(".maps");

/* What user space was told of a process, and how often it had asked until then. */
struct told {
	struct owner owner;
	u64 cgroup_id;
	u64 requests;
};

/* Processes that user space was told of, by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct told);
} told SEC(".maps");

/*
 * How often user space asked for a process to be described again, by the last digits of its tgid: it counts up when it
 * forgets a process, or meets one that it does not know. Memory that it maps, so that it needs no privilege.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, REQUESTS);
	__type(key, u32);
	__type(value, u64);
} requests SEC(".maps");

/* Where a description is put together: its length is known at the end only. */
struct draft {
	u64 taken;
	struct process_record record;
	/* three paths and a command line, wherever they begin */
	char bytes[4096 + sizeof(struct names)];
};

/* More than one: a program may be interrupted on its processor, by another that describes a process too. */
enum { DRAFTS = 4 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DRAFTS);
	__type(key, u32);
	__type(value, struct draft);
} drafts SEC(".maps");

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

INLINE u64 counted(u32 index)
{
	u64 *value = bpf_map_lookup_elem(&counters, &index);
	return value ? *value : 0;
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

INLINE void put_connect(struct sock *sk, const struct tcp *tcp)
{
	u64 id = id_of(sk);
	if (bpf_map_update_elem(&connects, &id, tcp, BPF_ANY) == 0)
		return;
	struct tcp *kept = bpf_sk_storage_get(&overflow, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (kept) {
		*kept = *tcp;
		count(COUNTER_OVERFLOWED);
	} else {
		count(COUNTER_TCPS_FULL);
	}
}

INLINE struct tcp *find_connect(struct sock *sk)
{
	u64 id = id_of(sk);
	struct tcp *tcp = bpf_map_lookup_elem(&connects, &id);
	if (tcp || !counted(COUNTER_OVERFLOWED))
		return tcp;
	return bpf_sk_storage_get(&overflow, sk, NULL, 0);
}

INLINE void drop_connect(struct sock *sk)
{
	u64 id = id_of(sk);
	if (bpf_map_delete_elem(&connects, &id) && counted(COUNTER_OVERFLOWED))
		bpf_sk_storage_delete(&overflow, sk);
}

#endif
