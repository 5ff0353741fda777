/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the program needs of the kernel: no header of a kernel is used. Types name only the members that are read;
 * their offsets are relocated to the running kernel when the program is loaded (CO-RE).
 */
#ifndef PROCWIRE_KERNEL_H
#define PROCWIRE_KERNEL_H

#include "records.h"

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define NULL ((void *)0)
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

typedef _Bool bool;
#define true 1
#define false 0

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_SK_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1 };

enum { AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_DGRAM = 2, ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86DD };
enum { IPPROTO_TCP = 6, IPPROTO_UDP = 17, IPPROTO_MPTCP = 262 };
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_CLOSE = 7,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
};
enum {
	EPERM = 1,
	EACCES = 13,
	EADDRNOTAVAIL = 99,
	ENETUNREACH = 101,
	ECONNRESET = 104,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EHOSTUNREACH = 113,
};
/* of sk_flags: the peer's FIN has come */
enum { SOCK_DONE = 1 << 1 };
enum { PF_EXITING = 0x00000004, PF_KTHREAD = 0x00200000 };
/* user namespaces within each other */
enum { USER_NAMESPACES = 33 };
enum { NFPROTO_IPV4 = 2, NFPROTO_IPV6 = 10, NF_INET_LOCAL_OUT = 3, NF_INET_POST_ROUTING = 4 };
enum { MSG_PEEK = 2 };

/* The parts of the user-space API that programs get as context; fixed, not relocated. */
struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4], src_port;
	u16 dst_port, : 16;
	u32 dst_ip4, dst_ip6[4], state;
	s32 rx_queue_mapping;
};

struct bpf_sock_addr {
	u32 user_family, user_ip4, user_ip6[4], user_port, family, type, protocol, msg_src_ip4, msg_src_ip6[4];
	union {
		struct bpf_sock *sk;
		u64 : 64;
	} __attribute__((aligned(8)));
};

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id, family;
	u32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
	union {
		void *flow_keys;
		u64 : 64;
	} __attribute__((aligned(8)));
	u64 tstamp;
	u32 wire_len, gso_segs;
	union {
		struct bpf_sock *sk;
		u64 : 64;
	} __attribute__((aligned(8)));
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct hlist_bl_node d_hash;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct super_block {
	u32 s_dev;
};

struct inode {
	u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
};

typedef struct {
	s64 counter;
} atomic64_t;

/* one less than the references that there are */
typedef struct {
	atomic64_t refcnt;
} file_ref_t;

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
	file_ref_t f_ref;
	/* until Linux 6.12 */
	atomic64_t f_count;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
};

typedef struct {
	u32 val;
} kuid_t;

struct user_namespace {
	struct user_namespace *parent;
	int level;
	/* of whoever made it, as the first namespace has it */
	kuid_t owner;
	struct ns_common ns;
};

struct cred {
	kuid_t uid;
	kuid_t euid;
	struct user_namespace *user_ns;
};

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	u64 id;
};

/* until Linux 6.15 */
struct kernfs_node___before_6_15 {
	struct kernfs_node___before_6_15 *parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct netns_nf {
	void *hooks_ipv4[5];
	void *hooks_ipv6[5];
};

struct net {
	struct ns_common ns;
	struct netns_nf nf;
};

struct net_device {
	int ifindex;
};

struct dst_entry {
	struct net_device *dev;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
};

struct task_struct {
	unsigned int flags;
	u32 pid;
	u32 tgid;
	u64 start_boottime;
	u64 self_exec_id;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	const struct cred *cred;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};

struct list_head {
	struct list_head *next;
};

struct wait_queue_head {
	struct list_head head;
};

enum { WQ_FLAG_EXCLUSIVE = 1 };

struct wait_queue_entry {
	unsigned int flags;
	void *private;
	struct list_head entry;
};

struct socket_wq {
	struct wait_queue_head wait;
};

/* of poll() and select() */
struct poll_wqueues {
	struct task_struct *polling_task;
};

struct eventpoll {
	struct wait_queue_head wq;
};

struct epitem {
	struct eventpoll *ep;
};

struct eppoll_entry {
	struct epitem *base;
	struct wait_queue_entry wait;
};

struct sk_buff_head {
	u32 qlen;
};

struct sk_buff {
	struct sock *sk;
	struct net_device *dev;
	unsigned long _skb_refdst;
	unsigned long _nfct;
	u32 len;
	u32 data_len;
	u16 transport_header;
	u16 network_header;
	unsigned char *head;
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
};

typedef struct {
	int owned;
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	u16 sk_type;
	u16 sk_protocol;
	int sk_err;
	kuid_t sk_uid;
	struct socket *sk_socket;
	struct socket_wq *sk_wq;
	struct sk_buff_head sk_receive_queue;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct tcp_ulp_ops {
	char name[16];
};

struct inet_sock {
	struct sock sk;
	u16 inet_sport;
};

struct udp_sock {
	/* moved here by whoever reads */
	struct sk_buff_head reader_queue;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct tcp_ulp_ops *icsk_ulp_ops;
	void *icsk_ulp_data;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 write_seq;
	u32 copied_seq;
	u32 segs_out;
	u32 segs_in;
	u64 bytes_sent;
	u64 bytes_retrans;
	u64 bytes_received;
};

struct mptcp_sock {
	struct inet_connection_sock sk;
	struct sock *first;
};

struct mptcp_subflow_context {
	u32 request_join : 1;
	u32 mp_join : 1;
};

struct io_uring_task {
	struct task_struct *task;
};

struct io_kiocb {
	struct io_uring_task *tctx;
};

/* until Linux 6.12 */
struct io_kiocb___before_6_13 {
	struct task_struct *task;
};

struct nf_hook_state {
	u8 hook;
	u8 pf;
	struct sock *sk;
};

struct iovec {
	void *iov_base;
	u64 iov_len;
};

enum iter_type { ITER_UBUF, ITER_IOVEC };

struct iov_iter {
	u8 iter_type;
	u64 iov_offset;
	const struct iovec *__iov;
	void *ubuf;
	u64 count;
	u64 nr_segs;
};

/* until Linux 6.3 */
struct iov_iter___before_6_4 {
	const struct iovec *iov;
};

struct msghdr {
	void *msg_name;
	struct iov_iter msg_iter;
};

struct pt_regs {
#if defined(__TARGET_ARCH_x86)
	unsigned long di, si;
#elif defined(__TARGET_ARCH_arm64)
	/* struct user_pt_regs, its first member, seen from the kernel */
	u64 regs[31];
	/* the first argument, whose register the result overwrites */
	u64 orig_x0;
#else
#error "found an architecture without its system call convention, expected x86 or arm64"
#endif
};

struct bpf_iter__task_file {
	struct task_struct *task;
	struct file *file;
};

#pragma clang attribute pop

#if defined(__TARGET_ARCH_x86)
#define FIRST_ARGUMENT(from) READ(from, di)
#define SECOND_ARGUMENT(from) READ(from, si)
#else
#define FIRST_ARGUMENT(from) READ(from, orig_x0)
#define SECOND_ARGUMENT(from) READ(from, regs[1])
#endif

/* Helpers, by their number in the kernel's enum bpf_func_id. */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static long (*const bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
static u64 (*const bpf_get_current_task)(void) = (void *)35;
static u64 (*const bpf_get_socket_cookie)(void *ctx) = (void *)46;
static struct bpf_sock *(*const bpf_sk_fullsock)(struct bpf_sock *sk) = (void *)95;
static void *(*const bpf_sk_storage_get)(void *map, void *sk, void *value, u64 flags) = (void *)107;
static long (*const bpf_probe_read_user)(void *dst, u32 size, const void *unsafe_ptr) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *unsafe_ptr) = (void *)113;
static long (*const bpf_probe_read_kernel_str)(void *dst, u32 size, const void *unsafe_ptr) = (void *)115;
static u64 (*const bpf_jiffies64)(void) = (void *)118;
static u64 (*const bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*const bpf_ringbuf_output)(void *ringbuf, void *data, u64 size, u64 flags) = (void *)130;
static void *(*const bpf_ringbuf_reserve)(void *ringbuf, u64 size, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *data, u64 flags) = (void *)132;
static struct tcp_sock *(*const bpf_skc_to_tcp_sock)(void *sk) = (void *)137;
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;
static struct pt_regs *(*const bpf_task_pt_regs)(struct task_struct *task) = (void *)175;
static long (*const bpf_get_func_ret)(void *ctx, u64 *value) = (void *)184;
static struct socket *(*const bpf_sock_from_file)(struct file *file) = (void *)162;

/* Read a member through a pointer that the verifier does not vouch for. */
#define READ(pointer, member)                                                                                          \
	({                                                                                                             \
		typeof(pointer) _from = (pointer);                                                                     \
		typeof(_from->member) _value = {};                                                                     \
		bpf_probe_read_kernel(&_value, sizeof(_value), __builtin_preserve_access_index(&_from->member));       \
		_value;                                                                                                \
	})

/* The address of a member, and of what it is a member of. */
#define AT(pointer, member) ((u64)__builtin_preserve_access_index(&(pointer)->member))
#define AROUND(address, type, member)                                                                                  \
	((type *)((u64)(address) - __builtin_preserve_field_info(((type *)0)->member, FIELD_BYTE_OFFSET)))

/* Read a bit field likewise, in every place where the running kernel keeps it (libbpf's BPF_CORE_READ_BITFIELD_PROBED). */
enum { FIELD_BYTE_OFFSET = 0, FIELD_BYTE_SIZE = 1, FIELD_EXISTS = 2, FIELD_LSHIFT_U64 = 4, FIELD_RSHIFT_U64 = 5 };
#define READ_BITS(pointer, member)                                                                                     \
	({                                                                                                             \
		u64 _value = 0;                                                                                        \
		const void *_at =                                                                                      \
			(const void *)(pointer) + __builtin_preserve_field_info((pointer)->member, FIELD_BYTE_OFFSET); \
		bpf_probe_read_kernel(&_value, __builtin_preserve_field_info((pointer)->member, FIELD_BYTE_SIZE), _at); \
		_value <<= __builtin_preserve_field_info((pointer)->member, FIELD_LSHIFT_U64);                         \
		_value >> __builtin_preserve_field_info((pointer)->member, FIELD_RSHIFT_U64);                          \
	})
#define ENUM_VALUE(type, value) __builtin_preserve_enum_value(*(type *)value, 1)
#define HAS_FIELD(pointer, member) __builtin_preserve_field_info((pointer)->member, FIELD_EXISTS)

#endif
