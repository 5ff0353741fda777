/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UDP: flows by their datagrams, and who sends and reads. */
#ifndef PROCWIRE_UDP_H
#define PROCWIRE_UDP_H

#include "dns.h"

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

/* The current process sends or receives. The note of a UDP socket, whose owner it then is; NULL of another. */
INLINE struct note *on_transfer(struct sock *sk)
{
	if (sk->sk_protocol == IPPROTO_TCP)
		on_use(sk);
	if (sk->sk_protocol != IPPROTO_UDP)
		return NULL;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note || !note->is_udp)
		return NULL;
	struct task_struct *task = bpf_get_current_task_btf();
	if (note->owner.tgid != task->tgid || note->owner.exec_id != (u32)task->self_exec_id)
		owner_here(&note->owner);
	return note;
}

SEC("tp_btf/sock_send_length")
int sock_send_length(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct note *note = on_transfer(sk);
	if (note && note->claim_sent) {
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
	struct note *note = result < 0 ? NULL : on_transfer(sk);
	if (!note)
		return 0;
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
		if (task->tgid == note->owner.tgid && (u32)task->self_exec_id == note->owner.exec_id)
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
	copy_address(record->peer, packet->peer.address);
	record->peer_port = packet->peer.port;
	submit(record);
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
		on_tcp_sent(skb, sk);
	bool dns_over_tcp = sk->protocol == IPPROTO_TCP && sk->dst_port == __builtin_bswap16(53);
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
	if (packet.peer.port == 53)
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

#endif
