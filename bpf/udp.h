/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UDP: flows by their datagrams, and who sends and reads. */
#ifndef PROCWIRE_UDP_H
#define PROCWIRE_UDP_H

#include "dns.h"
#include "flows.h"
#include "nat.h"
#include "readers.h"

/* As long as user space holds a flow whose reader is not known. */
#define HOLD_NS 1000000000ULL

/* The current process is a socket's owner. */
INLINE void own(struct note *note)
{
	owner_here(&note->owner);
	note->task = (u64)bpf_get_current_task_btf()->group_leader;
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
	own(note);
	return ALLOW;
}

/* A flow that came in has been read, or answered: by the current process. */
INLINE void claim_received(struct note *note, struct flow *flow)
{
	flow->unread = 0;
	if (note->unread)
		note->unread -= 1;
	struct owner owner;
	owner_here(&owner);
	/* a copy, for the places of flows change */
	struct peer peer = flow->route.peer;
	claim(&owner, KIND_RECEIVED, 1, flow->cookie, &peer);
}

/* Whether flows may wait for their reader still. */
INLINE bool awaits_reader(struct note *note, u64 now_ns)
{
	if (note->unread && now_ns - note->unread_ns > HOLD_NS)
		note->unread = 0;
	return note->unread;
}

/* The place of a flow from a far end whose reader is not known; SHELF if there is none. */
__attribute__((noinline)) u32 unread_place(u32 key, u64 cookie, const struct peer *peer)
{
	struct shelf *shelf = bpf_map_lookup_elem(&shelves, &key);
	if (!shelf || !peer)
		return SHELF;
	for (u32 i = 0; i < SHELF; i++) {
		struct flow *flow = &shelf->flows[i];
		if (flow->unread && flow->cookie == cookie && same_peer(&flow->route.peer, peer))
			return i;
	}
	return SHELF;
}

/* A datagram was read by a process that requested its sender. */
INLINE void on_read_from(struct bpf_sock_addr *ctx, const struct peer *peer)
{
	struct bpf_sock *sk = ctx->sk;
	if (!sk)
		return;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note || !note->is_udp)
		return;
	if (!is_current(&note->owner))
		own(note);
	if (!note->unread || !awaits_reader(note, bpf_ktime_get_boot_ns()))
		return;
	u32 key = shelf_of(note->cookie, peer);
	struct flow *flow = flow_at(key, unread_place(key, note->cookie, peer));
	if (flow)
		claim_received(note, flow);
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

/* The far end of a datagram that lies in a queue, from its headers. */
INLINE bool sender_of(struct sk_buff *skb, struct peer *peer)
{
	void *head = READ(skb, head);
	void *ip = head + READ(skb, network_header);
	u16 port;
	u32 ipv4;
	u8 version = 0;
	bpf_probe_read_kernel(&version, 1, ip);
	if (version >> 4 == 4) {
		bpf_probe_read_kernel(&ipv4, 4, ip + 12);
		map_ipv4(peer->address, ipv4);
	} else {
		bpf_probe_read_kernel(peer->address, 16, ip + 8);
	}
	if (bpf_probe_read_kernel(&port, 2, head + READ(skb, transport_header)))
		return false;
	peer->port = __builtin_bswap16(port);
	return true;
}

/* Where the kernel takes such a hook: a datagram has been read. */
SEC("fentry/skb_consume_udp")
int consume_udp(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note || !note->is_udp)
		return 0;
	if (!is_current(&note->owner))
		own(note);
	if (!note->unread || !awaits_reader(note, bpf_ktime_get_boot_ns()))
		return 0;
	struct peer peer = {};
	if (!sender_of((void *)ctx[1], &peer))
		return 0;
	u32 key = shelf_of(note->cookie, &peer);
	struct flow *flow = flow_at(key, unread_place(key, note->cookie, &peer));
	if (flow)
		claim_received(note, flow);
	return 0;
}

/* Which way a flow goes whose first datagram was seen going out, or coming in. */
INLINE u8 direction(const struct note *note, bool sent, bool answer, u64 now_ns)
{
	if (answer)
		return INITIATED_NO;
	/* what went over the socket before the recording, nobody knows: the flow may have been going on */
	if (note->found_ns && now_ns - note->found_ns < udp_idle_ns)
		return INITIATED_UNKNOWN;
	return sent ? INITIATED_YES : INITIATED_NO;
}

/* Who sends? The current process, if it has the socket; it does not where a packet filter lets datagrams go later. */
static __attribute__((noinline)) int on_sender(struct note *note)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (task->tgid != note->owner.tgid &&
	    (task->flags & PF_KTHREAD ||
	     !holds(bpf_get_current_task(), file_of((struct sock *)note->sk), SCRATCH_EGRESS)))
		return ATTRIBUTION_OWNER;
	own(note);
	return ATTRIBUTION_CALLER;
}

/* The owner may have become another program or user since it was noted. */
INLINE void refresh(struct note *note)
{
	struct owner owner;
	if (!note->task)
		return;
	read_owner(&owner, note->task);
	if (owner.tgid != note->owner.tgid || owner.start_boot_ns != note->owner.start_boot_ns)
		return;
	if (owner.exec_id != note->owner.exec_id)
		tell(note->task, &owner, false);
	note->owner = owner;
}

/* Who will read? Whoever waits for it; if nobody does it is seen later: by how it reads, by its answer, or not. */
static __attribute__((noinline)) int on_receiver(struct note *note)
{
	u64 file = file_of((struct sock *)note->sk);
	u64 reader = waiting_process(note->sk, file);
	if (reader) {
		read_owner(&note->owner, reader);
		note->task = reader;
		tell(reader, &note->owner, false);
		return ATTRIBUTION_CALLER;
	}
	refresh(note);
	note->unread += 1;
	note->unread_ns = bpf_ktime_get_boot_ns();
	u64 cookie = note->cookie;
	struct flow *flow = find_flow(shelf_of(cookie, &note->flow.peer), cookie, &note->flow, false);
	if (flow) {
		flow->unread = 1;
		flow->sk = note->sk;
		flow->task = is_sole(file) ? note->task : 0;
	}
	return ATTRIBUTION_PENDING;
}

enum { DUE_EVENT = 1, DUE_CLAIM = 2 };

/*
 * A datagram that is not of the socket's latest flow, or comes after a silence. Returns what is due for it. `skb`: its
 * context where it may have been translated, else NULL.
 */
static __attribute__((noinline)) int note_flow(struct __sk_buff *skb, struct note *note, struct packet *packet, bool sent)
{
	u64 now_ns = bpf_ktime_get_boot_ns();
	u64 cookie = note->cookie;
	u16 wire_port = packet->local_port;
	bool answer = false;
	note->sent = packet->route;
	bool translated = sent && skb && untranslate(skb, packet, &answer);
	bool same = note->flow_ns && same_route(&packet->route, &note->flow);
	if (note->flow_ns && !same) {
		/* what the note held goes back to the table, or a flow that took turns with others would look idle */
		u32 before = shelf_of(cookie, &note->flow.peer);
		struct flow *flow = find_flow(before, cookie, &note->flow, false);
		if (!flow && !is_idle(note->flow_ns, now_ns))
			flow = put_flow(before, cookie, note, now_ns);
		if (flow)
			flow->last_ns = note->flow_ns;
	}
	u32 key = shelf_of(cookie, &packet->peer);
	struct flow *known = find_flow(key, cookie, &packet->route, sent);
	u64 last_ns = known ? known->last_ns : 0;
	if (same && note->flow_ns > last_ns)
		last_ns = note->flow_ns;
	if (!same) {
		note->flow = known ? known->route : packet->route;
		note->initiated = known ? known->initiated : direction(note, sent, answer, now_ns);
	}
	note->flow_ns = now_ns;
	if (!known)
		known = put_flow(key, cookie, note, now_ns);
	else
		known->last_ns = now_ns;
	u32 due = sent && known && known->unread ? DUE_CLAIM : 0;
	if (last_ns && !is_idle(last_ns, now_ns))
		return due;
	if (translated)
		emit_nat(IPPROTO_UDP, note->owner.holder, cookie, &packet->peer, &note->sent, wire_port);
	return due | DUE_EVENT;
}

static __attribute__((noinline)) int emit_flow(const struct note *note, const struct packet *packet, bool sent,
					       u8 attribution)
{
	struct connection_record *record =
		reserve(sent ? KIND_SENT : KIND_RECEIVED, attribution, IPPROTO_UDP, note->flow_ns);
	if (!record)
		return 0;
	record->owner = note->owner;
	record->cookie = note->cookie;
	record->netns = note->netns;
	record->initiated = note->initiated;
	record->interface = packet->route.interface;
	/* an error can be reported to a socket that is connected, and takes the flow back */
	record->state = packet->state;
	copy_address(record->local, packet->route.local);
	record->local_port = packet->local_port;
	copy_address(record->peer, packet->peer.address);
	record->peer_port = packet->peer.port;
	submit(record);
	return 0;
}

/* The latest flow's sender may have read what came in before. */
static __attribute__((noinline)) int on_answer(struct note *note, u64 now_ns)
{
	if (!awaits_reader(note, now_ns))
		return 0;
	u64 cookie = note->cookie;
	struct flow *flow = find_flow(shelf_of(cookie, &note->flow.peer), cookie, &note->flow, true);
	if (flow && flow->unread)
		claim_received(note, flow);
	return 0;
}

/*
 * Whether netfilter has rules for what a socket sends. A flow that is reported before they apply is then held by user
 * space for a moment, as one that may be refused.
 */
INLINE bool has_rules(struct note *note)
{
	struct net *net = READ((struct sock *)note->sk, __sk_common.skc_net.net);
	void *hooks[2] = {}, *hooks6[2] = {};
	if (!HAS_FIELD((struct net *)0, nf))
		return false;
	bpf_probe_read_kernel(hooks, sizeof(hooks), (void *)AT(net, nf.hooks_ipv4) + NF_INET_LOCAL_OUT * 8);
	bpf_probe_read_kernel(hooks6, sizeof(hooks6), (void *)AT(net, nf.hooks_ipv6) + NF_INET_LOCAL_OUT * 8);
	return hooks[0] || hooks[1] || hooks6[0] || hooks6[1];
}

/* `skb`: NULL where datagrams are seen before they are packets, see direct.h. */
INLINE void on_datagram(struct __sk_buff *skb, struct note *note, struct packet *packet, bool sent)
{
	const struct route *latest = sent ? &note->sent : &note->flow;
	bool same = note->flow_ns && same_route(&packet->route, latest);
	u64 jiffies = bpf_jiffies64();
	if (same && note->flow_jiffies == jiffies && !(sent && note->unread)) {
		packet->peer = note->flow.peer;
		return;
	}
	u64 now_ns = bpf_ktime_get_boot_ns();
	if (same && !is_idle(note->flow_ns, now_ns)) {
		note->flow_ns = now_ns;
		if (sent && note->unread)
			on_answer(note, now_ns);
	} else {
		/* one after the other, and not within each other, for the stack's sake */
		u32 due = note_flow(skb, note, packet, sent);
		if (due & DUE_CLAIM)
			on_answer(note, now_ns);
		if (due & DUE_EVENT) {
			int attribution = sent ? on_sender(note) : on_receiver(note);
			if (sent && !skb && has_rules(note)) {
				note->unsettled = 1;
				packet->state = TCP_ESTABLISHED;
			}
			emit_flow(note, packet, sent, attribution);
		}
	}
	note->flow_jiffies = jiffies;
	/* as the socket sees it, for DNS */
	packet->peer = note->flow.peer;
}

/* A socket that has no note: the kernel's own, as of tunnels, or one that nobody had when the open ones were noted. */
static __attribute__((noinline)) int find_out(struct note *note)
{
	struct sock *sk = (void *)note->sk;
	note->is_udp = 1;
	note->foreign = !file_of(sk);
	note->netns = netns_of(sk);
	note->found_ns = bpf_ktime_get_boot_ns();
	return 0;
}

/* Functions, so that what they need of the stack is not added to what on_flow() needs. */
static __attribute__((noinline)) int on_tcp_packet(struct __sk_buff *skb, struct bpf_sock *sk)
{
	if (sk->state == TCP_SYN_SENT)
		on_tcp_nat(skb);
	on_tcp_sent(skb, sk);
	return 0;
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
	if (sent && sk->protocol == IPPROTO_TCP)
		on_tcp_packet(skb, sk);
	if (!want_packets)
		return;
	bool dns_over_tcp = sk->protocol == IPPROTO_TCP && sk->dst_port == __builtin_bswap16(53);
	if (!udp && !dns_over_tcp)
		return;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, udp ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!note || note->foreign)
		return;
	if (udp && !note->cookie) {
		note->cookie = bpf_get_socket_cookie(skb);
		note->sk = (u64)READ((struct sk_buff *)skb, sk);
		if (!note->is_udp)
			find_out(note);
		if (note->foreign)
			return;
	}
	struct packet packet;
	if (!parse(skb, sent, &packet))
		return;
	packet.state = sk->state;
	if (is_scoped(packet.route.local) || is_scoped(packet.peer.address))
		packet.route.interface = skb->ifindex;
	if (udp)
		on_datagram(skb, note, &packet, sent);
	if (!udp || packet.peer.port == 53)
		on_dns(skb, note, &packet, sent, !udp);
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

/*
 * What a socket sent was refused. Then that was an attempt, and what it sends next counts as the first of a flow again.
 */
static __attribute__((noinline)) int on_refused(struct note *note, u16 error)
{
	/* an answer that does not reach the client is no attempt */
	if (!note->flow_ns || note->initiated == INITIATED_NO ||
	    (error != ECONNREFUSED && error != EHOSTUNREACH && error != ENETUNREACH && error != EACCES && error != EPERM))
		return 0;
	u64 cookie = note->cookie;
	struct flow *flow = find_flow(shelf_of(cookie, &note->flow.peer), cookie, &note->flow, false);
	if (flow)
		flow->last_ns = 0;
	note->flow_ns = note->flow_jiffies = 0;
	struct connection_record *record =
		reserve(KIND_ATTEMPT, ATTRIBUTION_CALLER, IPPROTO_UDP, bpf_ktime_get_boot_ns());
	if (!record)
		return 0;
	record->owner = note->owner;
	record->cookie = cookie;
	record->netns = note->netns;
	record->interface = note->flow.interface;
	copy_address(record->local, note->flow.local);
	record->local_port = READ((struct sock *)note->sk, __sk_common.skc_num);
	copy_address(record->peer, note->flow.peer.address);
	record->peer_port = note->flow.peer.port;
	record->initiated = note->initiated;
	record->error = error;
	submit(record);
	return 0;
}

/* An error is reported to a socket. */
SEC("tp_btf/inet_sk_error_report")
int udp_error(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	if (sk->sk_protocol != IPPROTO_UDP || sk->__sk_common.skc_state != TCP_ESTABLISHED)
		return 0;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (note)
		on_refused(note, sk->sk_err);
	return 0;
}

/* The question of user space, see `look`, and its answer: memory that it maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} answer SEC(".maps");

/*
 * User space queries by a message to a socket of its own, whose filter this is: a call that needs no privilege,
 * and that nobody else pays for. Whether a flow that nobody was seen reading has been read, by the only process that
 * had its socket: then by its owner.
 */
SEC("socket")
int look(struct __sk_buff *skb)
{
	struct flow_key key;
	u32 zero = 0;
	u64 *result = bpf_map_lookup_elem(&answer, &zero);
	if (!result)
		return 0;
	*result = 0;
	if (bpf_skb_load_bytes(skb, 0, &key, sizeof(key)))
		return 0;
	u32 shelf = shelf_of(key.cookie, &key.peer);
	struct flow *flow = flow_at(shelf, unread_place(shelf, key.cookie, &key.peer));
	if (!flow)
		return 0;
	flow->unread = 0;
	struct sock *sk = (void *)flow->sk;
	u64 file = file_of(sk);
	*result = READ(sk, __sk_common.skc_cookie.counter) == (s64)key.cookie && !READ(sk, sk_receive_queue.qlen) &&
		  !READ((struct udp_sock *)sk, reader_queue.qlen) && is_sole(file) &&
		  holds(flow->task, file, SCRATCH_LOOK);
	return 0;
}

#endif
