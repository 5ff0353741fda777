/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs remember, and its bounds. */
#ifndef PROCWIRE_TABLES_H
#define PROCWIRE_TABLES_H

#include "kernel.h"

/* What is known of a TCP socket. Up to STAGE_ACCEPTED it is in use, from STAGE_TOLD on another socket may take its slot. */
enum stage {
	STAGE_FREE,
	/* another processor writes the slot */
	STAGE_CLAIMED,
	/* owner: who connects */
	STAGE_CONNECTING,
	/* with want_closes only */
	STAGE_CONNECTED,
	/* a listener's child, of no process yet */
	STAGE_WAITING,
	/* ended while it waited, and just being reported */
	STAGE_TELLING,
	/* the same, and its owner was seen meanwhile */
	STAGE_OWNED,
	/* owner: who accepted it, before its handshake's end (Fast Open) */
	STAGE_EARLY,
	/* owner: who accepted it; with want_closes only */
	STAGE_ACCEPTED,
	/* ended while it waited: reported as PENDING, for the accept() that may be under way to claim */
	STAGE_TOLD,
	/* ended before it was accepted */
	STAGE_ENDED,
	/* nothing remains to be reported */
	STAGE_REPORTED,
};

struct ends {
	u8 local[16];
	struct peer peer;
	u32 netns;
	u32 interface;
	u16 local_port;
	u8 pad[6];
};

struct tcp {
	u64 cookie;
	u64 stage;
	/* jiffies: a slot whose end was missed is not lost forever */
	u64 born;
	/* when it was established */
	u64 since_ns;
	struct owner owner;
	/* of a child: read when it is established, where that is cheap, for whoever accepts it */
	struct ends ends;
};

struct listener_key {
	u32 netns;
	u32 port;
	/* all zero, or IPv4's zero in 16 bytes: any */
	u8 address[16];
};

/* Where the datagrams of a flow go: its two ends, but for this end's port, which is the socket's. */
struct route {
	struct peer peer;
	u8 local[16];
	/* of link-local addresses, which mean something on one interface only; else 0 */
	u32 interface;
	u32 pad;
};

/* What is known of a UDP socket, and of a TCP socket that queries a DNS server. */
struct note {
	struct owner owner;
	u32 netns;
	u8 is_udp;
	/* the kernel's own: none of ours */
	u8 foreign;
	/* of the latest flow: enum initiated */
	u8 initiated;
	/* found by the walk over what was open */
	u8 walked;
	/* of a flow that was reported where netfilter has rules: it may yet be translated, or stopped */
	u8 unsettled;
	u8 pad[7];
	/* flows received whose reader is not known, and when the last of them came */
	u64 unread;
	u64 unread_ns;
	/* the address of the owner's task, which may be gone */
	u64 task;
	/* the socket: what names it, and its address; since its first datagram */
	u64 cookie;
	u64 sk;
	/* when a socket was found that had been open before: how it was used until then is not known */
	u64 found_ns;
	/* the latest flow, spared a look-up in the table: as the socket sees it, and as it goes out if it is translated */
	u64 flow_ns;
	struct route flow;
	struct route sent;
	/* jiffies: in the same one a further datagram of the flow changes nothing */
	u64 flow_jiffies;
};

struct flow_key {
	u64 cookie;
	struct peer peer;
};

struct flow {
	/* 0: free */
	u64 cookie;
	u64 last_ns;
	struct route route;
	/* of who made the socket, for fair shares */
	u32 holder;
	u8 initiated;
	/* received, and it is not known who reads it; where to check, later */
	u8 unread;
	u8 pad[2];
	u64 sk;
	u64 task;
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

/* Flows stand on the shelf that their socket and far end choose. */
enum { SHELVES = 8192, SHELF = 8 };

struct shelf {
	struct flow flows[SHELF];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SHELVES);
	__type(key, u32);
	__type(value, struct shelf);
} shelves SEC(".maps");

/* A slot for each cookie, which are given one after the other; the loader sets how many. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, struct tcp);
} tcps SEC(".maps");

/*
 * A socket whose slot is in use is remembered in its own storage: who fills the slots makes the connections of others
 * dearer (by an allocation each), and takes the process from none.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tcp);
} overflow SEC(".maps");

/* Who listens: the owner of a connection that was accepted in a way that is not seen. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct listener_key);
	__type(value, struct owner);
} listeners SEC(".maps");

/* How many of them each user has, by the last digits of its number: none fills the table. */
enum { SHARES = 1024, SHARE = 1024 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SHARES);
	__type(key, u32);
	__type(value, u64);
} shares SEC(".maps");

/* What was described of a process to user space, and how many requests it had made by then. */
struct told {
	struct owner owner;
	u64 cgroup_id;
	u64 requests;
};

/* Processes described to user space, by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct told);
} told SEC(".maps");

/*
 * How often user space requested that a process be described again, by the last digits of its tgid: it counts up when it
 * forgets a process, or meets one that it does not know. Memory that it maps, so that it needs no privilege.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, REQUESTS);
	__type(key, u32);
	__type(value, u64);
} requests SEC(".maps");

/* A process that may run a program. The address of its task is that of another when it is gone: its start says so. */
struct runner {
	u64 task;
	u64 start_boot_ns;
};

enum { RUNNERS = 3 };

/* A program as it was executed. Forks share their parent's. */
struct image {
	/* its id, which is given once; 0: no program */
	struct image_record record;
	char path[IMAGE_PATH_BYTES];
	char command[COMMAND_BYTES];
	u32 command_bytes;
	/* the file, as process_record has it */
	u32 device;
	u64 inode;
	/* user space has its record: how often it had requested it until then, and one */
	u64 told;
	/* when a process began to run it last */
	u64 used_ns;
	u32 holder;
	u32 exec_id;
	/* who executed it, and of those that it forked the last that forked, and the last */
	struct runner runners[RUNNERS];
};

/* Who forked a process, and what it ran then. */
struct origin {
	/* 0: none */
	u64 tgid;
	u64 start_boot_ns;
	/* what it runs now, since the exec of this number */
	u64 image;
	u64 parent_start_boot_ns;
	/* 0: what the parent runs now */
	u64 parent_image;
	u32 parent_tgid;
	u32 exec_id;
	u64 task;
	u32 holder;
	u32 pad;
};

/*
 * Each stands in one of eight places, which the last digits of its number choose: those are given one after the other,
 * so places fill evenly. Where all are taken, of the holder who has most there those make place that no process needs
 * any longer, then the oldest: who executes or forks a lot pushes out their own.
 */
enum { PLACES = 8, IMAGE_SHELVES = 2048, ORIGIN_SHELVES = 8192 };
/* of the number of one that is being written */
#define BEING_WRITTEN (~0ULL)

struct image_shelf {
	struct image images[PLACES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IMAGE_SHELVES);
	__type(key, u32);
	__type(value, struct image_shelf);
} images SEC(".maps");

/* How many ids of images were given. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} image_ids SEC(".maps");

struct origin_shelf {
	struct origin origins[PLACES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ORIGIN_SHELVES);
	__type(key, u32);
	__type(value, struct origin_shelf);
} origins SEC(".maps");

/* The names of a path, leaf first, each with a NUL after it. */
struct names {
	char bytes[PATH_BYTES + NAME_BYTES];
};

struct group_names {
	char bytes[CGROUP_BYTES + NAME_BYTES];
};

/* A way from a file up to the root of its mount namespace. */
struct walk {
	struct dentry *dentry;
	struct vfsmount *vfsmount;
	/* what is read on the way: here, for the stack has no space */
	struct dentry *parent;
	struct mount *mount;
	struct mount *mount_parent;
	u32 length;
	u32 state;
};

/* Where a description is put together: its length is known at the end only. The stack has no space for the rest. */
struct draft {
	u64 taken;
	u32 holder;
	u32 pad;
	struct walk walk;
	struct origin origin;
	struct told told;
	struct process_record record;
	/* what stands behind the record, at whatever offset the longest part begins */
	char bytes[8192 + sizeof(struct names)];
	struct image image;
};

/* More than one: a program may be interrupted on its processor, by another that describes a process too. */
enum { DRAFTS = 4 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DRAFTS);
	__type(key, u32);
	__type(value, struct draft);
} drafts SEC(".maps");

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

/* A wrong slot, or one in use, has another cookie. */
INLINE struct tcp *slot_of(u64 cookie)
{
	u32 slot = cookie & tcps_mask;
	return bpf_map_lookup_elem(&tcps, &slot);
}

/* What is known of a socket. `sk`: one that the verifier vouches for. */
#define FIND_TCP(sk, cookie)                                                                                           \
	({                                                                                                             \
		struct tcp *_tcp = slot_of(cookie);                                                                    \
		if (!_tcp || _tcp->cookie != (cookie))                                                                 \
			_tcp = counted(COUNTER_OVERFLOWED) ? bpf_sk_storage_get(&overflow, sk, NULL, 0) : NULL;        \
		_tcp;                                                                                                  \
	})

/* Jiffies, an hour at the least: no handshake takes so long. */
enum { STALE = 3600 * 1000 };

INLINE bool may_take(const struct tcp *tcp, u64 stage, u64 cookie, u64 now)
{
	return stage == STAGE_FREE || stage >= STAGE_TOLD || tcp->cookie == cookie ||
	       (!want_closes && stage != STAGE_CLAIMED && now - tcp->born > STALE);
}

/* A place for a socket of which nothing is known yet; its owner of before is another's. NULL: no memory. */
INLINE struct tcp *claim_tcp(struct sock *sk, u64 cookie)
{
	struct tcp *tcp = slot_of(cookie);
	u64 now = bpf_jiffies64();
	u64 stage = tcp ? *(volatile u64 *)&tcp->stage : STAGE_CLAIMED;
	if (!tcp || !may_take(tcp, stage, cookie, now) ||
	    __sync_val_compare_and_swap(&tcp->stage, stage, STAGE_CLAIMED) != stage) {
		tcp = bpf_sk_storage_get(&overflow, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!tcp) {
			count(COUNTER_TCPS_FULL);
			return NULL;
		}
		count(COUNTER_OVERFLOWED);
	}
	tcp->born = now;
	tcp->since_ns = 0;
	tcp->cookie = cookie;
	return tcp;
}

#endif
