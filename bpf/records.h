/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side hands to user space through the ring buffer. crates/sensor/src/records.rs mirrors it;
 * crates/sensor/src/abi.rs compares the two: list a new structure or enum in abi.h. Every field is written for every record: the ring buffer's memory is not zeroed.
 */
#ifndef PROCWIRE_RECORDS_H
#define PROCWIRE_RECORDS_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

enum record_type {
	RECORD_PROCESS = 1,
	RECORD_CONNECTION = 2,
	RECORD_CLAIM = 3,
	RECORD_DNS = 4,
	RECORD_NAT = 5,
	RECORD_IMAGE = 6,
};

enum connection_kind {
	KIND_CONNECT = 1,
	KIND_ACCEPT = 2,
	/* UDP, by the direction of the flow's first datagram */
	KIND_SENT = 3,
	KIND_RECEIVED = 4,
	KIND_ATTEMPT = 5,
	KIND_CLOSE = 6,
	KIND_EXISTING = 7,
};

enum attribution {
	ATTRIBUTION_NONE = 0,
	/* seen connecting, accepting, sending or receiving */
	ATTRIBUTION_CALLER = 1,
	/* owns the listening socket */
	ATTRIBUTION_LISTENER = 2,
	/* made the socket, or was the last that was seen using it */
	ATTRIBUTION_OWNER = 3,
	/* as OWNER, until a claim of the same flow says who really uses it */
	ATTRIBUTION_PENDING = 4,
};

/* A process, as it was when it was seen. Zero: not known. */
struct owner {
	u64 start_boot_ns;
	u32 tgid;
	/* counts exec (its last 32 bits): with the others it identifies the RECORD_PROCESS that describes it */
	u32 exec_id;
	/* real and effective user */
	u32 uid;
	u32 euid;
	/* who pays for what is remembered of it, for fair shares: see holder_at() */
	u32 holder;
	u32 pad;
};

/* The far end; IPv4 as ::ffff:a.b.c.d. */
struct peer {
	u8 address[16];
	u16 port;
	u8 pad[6];
};

enum initiated { INITIATED_NO = 0, INITIATED_YES = 1, INITIATED_UNKNOWN = 2 };

struct connection_record {
	u8 type;
	u8 kind;
	u8 attribution;
	u8 protocol;
	/* of a close or an existing socket: the state it was in */
	u8 state;
	/* whether this end connected, or sent first: enum initiated */
	u8 initiated;
	/* errno */
	u16 error;
	u32 netns;
	u16 local_port;
	u16 peer_port;
	u64 time_boot_ns;
	u64 cookie;
	struct owner owner;
	u8 local[16];
	u8 peer[16];
	/* the interface of a link-local flow, else 0 */
	u32 interface;
	u32 pad;
};

/* Of KIND_CLOSE: what went over the connection. */
struct close_record {
	struct connection_record connection;
	/* since it was established; 0 if that was not seen */
	u64 duration_ns;
	u64 sent_bytes;
	u64 received_bytes;
	u32 sent_packets;
	u32 received_packets;
};

/*
 * The ends of a flow or connection as they were translated on the way. Comes before the record of the flow; `peer` and
 * `cookie` identify it.
 */
struct nat_record {
	u8 type;
	u8 protocol;
	u8 pad[2];
	u16 local_port;
	u16 peer_port;
	u64 cookie;
	struct peer peer;
	u8 translated_local[16];
	u8 translated_peer[16];
	/* whose flow it is, for fair shares */
	u32 holder;
	u32 pad2;
};

/* Who really sent or received the first datagram of a flow that was handed over as PENDING. */
struct claim_record {
	u8 type;
	u8 kind;
	/* 0: the reader did not ask for the address; the oldest pending flow of the socket is meant */
	u8 has_peer;
	u8 pad[5];
	u64 cookie;
	struct owner owner;
	struct peer peer;
};

/* The longest path that a system call takes, the longest name in it; a path is cut where these end. */
#define PATH_BYTES 4096
#define NAME_BYTES 256
#define CGROUP_BYTES 1024
#define COMMAND_BYTES 1024
/* stored of the path of a program that is an ancestor */
#define IMAGE_PATH_BYTES 512
#define ANCESTORS 16

/* A process that led to another: its parent, the parent's parent. */
struct ancestor {
	u64 start_boot_ns;
	/* the program that it ran then; 0: none or unknown */
	u64 image;
	u32 tgid;
	u32 pad;
};

enum truncated { TRUNCATED_EXECUTABLE = 1, TRUNCATED_CGROUP = 2 };
/* REPLACED: the process has its link to the executable point at another file; the record has what was executed */
enum image_state { IMAGE_ORDINARY = 0, IMAGE_DELETED = 1, IMAGE_MEMFD = 2, IMAGE_REPLACED = 3 };

/*
 * A process. Behind it, one after the other and as many or as long as they are: its ancestors, nearest first; the names
 * of its executable and those of its control group, leaf first and each with a NUL after it; its command line.
 */
struct process_record {
	u8 type;
	/* enum truncated */
	u8 truncated;
	/* enum image_state */
	u8 image_state;
	u8 ancestors;
	u16 executable_bytes;
	u16 cgroup_bytes;
	u16 command_bytes;
	u8 pad[2];
	/* of the executable, as stat() writes it */
	u32 device;
	u64 inode;
	u32 mount_namespace;
	u32 pad2;
	struct owner owner;
};

/* A program that an ancestor ran; the names of its path stand behind it. Comes before the process that refers to it. */
struct image_record {
	u8 type;
	u8 truncated;
	u16 path_bytes;
	u32 pad;
	u64 image;
};

/* Most of a message, or of a segment's piece, that is handed over at once. */
#define DNS_BYTES 4096

/* A DNS message, or a piece of a TCP segment. Behind it its payload, as long as it is. */
struct dns_record {
	u8 type;
	u8 over_tcp;
	/* whether the process sent it: a question */
	u8 sent;
	u8 pad;
	u16 payload_bytes;
	/* the server, as the socket sees it */
	u16 peer_port;
	/* of a question by UDP the process that sends it, else whose socket it is */
	u32 tgid;
	/* as struct owner has it */
	u32 holder;
	u64 start_boot_ns;
	u64 cookie;
	u64 time_boot_ns;
	u8 peer[16];
	/* of TCP: to put segments in order */
	u32 sequence;
	u32 pad2;
};

/* Indices of the counters. */
enum counter {
	COUNTER_LOST_CONNECTION = 0,
	COUNTER_LOST_PROCESS = 1,
	COUNTER_LOST_CLAIM = 2,
	COUNTER_LOST_DNS = 3,
	/* no memory to note a socket's owner, or one that was not noted */
	COUNTER_UNOWNED = 4,
	/* connections that found the table of connections full */
	COUNTER_TCPS_FULL = 5,
	/* UDP flows that made place for others, and count as new if they go on */
	COUNTER_EVICTED = 6,
	/* connections remembered by their sockets, since the table was full */
	COUNTER_OVERFLOWED = 7,
	/* DNS answers that reached a socket that had sent no question, or not that many */
	COUNTER_UNASKED_DNS = 8,
	COUNTERS = 9,
};

/* Slots in which user space counts its requests for processes. */
enum { REQUESTS = 4096 };

#endif
