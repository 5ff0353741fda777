/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP, DNS and translated addresses where the kernel takes fentry: at the functions that only UDP runs, so that no
 * program runs at packets, and TCP pays nothing. What a socket sends is seen before netfilter: its addresses are the
 * socket's own. Where there are rules, the last of them shows whether it was translated, or stopped.
 */
#ifndef PROCWIRE_DIRECT_H
#define PROCWIRE_DIRECT_H

#include "udp.h"

/* The headers of a datagram, in the kernel's memory. */
INLINE bool parse_direct(struct sk_buff *skb, bool sent, struct packet *packet)
{
	u32 words[10];
	u32 ports;
	void *head = skb->head;
	__builtin_memset(packet, 0, sizeof(*packet));
	/* behind the shortest there is the buffer's own account: as much can always be read */
	if (bpf_probe_read_kernel(words, sizeof(words), head + skb->network_header))
		return false;
	u32 version = words[0] & 0xff;
	if (version == PLAIN_IPV4)
		ports = words[PORTS];
	else if (bpf_probe_read_kernel(&ports, sizeof(ports), head + skb->transport_header))
		return false;
	if (version >> 4 == 4) {
		map_ipv4(packet->route.local, words[sent ? SOURCE : DESTINATION]);
		map_ipv4(packet->route.peer.address, words[sent ? DESTINATION : SOURCE]);
	} else {
		copy_address(packet->route.local, words + (sent ? 2 : 6));
		copy_address(packet->route.peer.address, words + (sent ? 6 : 2));
	}
	ports = __builtin_bswap32(ports);
	packet->route.peer.port = sent ? ports : ports >> 16;
	packet->local_port = sent ? ports >> 16 : ports;
	return true;
}

/* What goes out has no interface yet, only a route. */
INLINE u32 interface_of(struct sk_buff *skb, bool sent)
{
	if (!sent)
		return READ(READ(skb, dev), ifindex);
	struct dst_entry *route = (void *)(READ(skb, _skb_refdst) & ~1UL);
	return READ(READ(route, dev), ifindex);
}

/* Global: verified once. A message in the memory of the kernel, or of the current process. */
__attribute__((noinline)) int put_dns_at(u64 from, u32 in_kernel, const struct dns_record *head, u32 size)
{
	if (!head || !size)
		return 0;
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 2) {
		count(COUNTER_LOST_DNS);
		return 0;
	}
	const u32 room = DNS_BYTES;
	struct dns_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record) + room, 0);
	if (!record) {
		count(COUNTER_LOST_DNS);
		return 0;
	}
	*record = *head;
	u32 last = (size < room ? size : room) - 1;
	record->payload_bytes = last + 1;
	asm volatile("" : "+r"(last));
	long failed = 1;
	if (last < room)
		failed = in_kernel ? bpf_probe_read_kernel(record + 1, last + 1, (void *)from) :
				     bpf_probe_read_user(record + 1, last + 1, (void *)from);
	if (failed)
		record->payload_bytes = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

INLINE void begin_dns(struct dns_record *head, const struct note *note, const struct peer *server, bool sent, bool over_tcp)
{
	head->type = RECORD_DNS;
	head->over_tcp = over_tcp;
	head->sent = sent;
	head->peer_port = server->port;
	copy_address(head->peer, server->address);
	head->cookie = note->cookie;
	head->time_boot_ns = bpf_ktime_get_boot_ns();
	asker_of(head, note);
}

/* A question goes out: a process has just written it, all in one piece. */
static __attribute__((noinline)) int on_question(struct sk_buff *skb, const struct note *note, const struct packet *packet)
{
	struct dns_record head = {};
	u32 start = READ(skb, transport_header) - READ(skb, network_header) + 8;
	u32 linear = READ(skb, len) - READ(skb, data_len);
	if (linear <= start)
		return 0;
	u32 size = linear - start;
	begin_dns(&head, note, &packet->peer, true, false);
	u64 from = (u64)READ(skb, head) + READ(skb, transport_header) + 8;
	put_dns_at(from, true, &head, size < QUESTION_BYTES ? size : QUESTION_BYTES);
	return 0;
}

INLINE void on_direct(struct sock *sk, struct sk_buff *skb, bool sent)
{
	if (sk->sk_protocol != IPPROTO_UDP || sk->sk_type != SOCK_DGRAM)
		return;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!note || note->foreign)
		return;
	if (!note->cookie) {
		note->cookie = bpf_get_socket_cookie(sk);
		note->sk = (u64)sk;
		if (!note->is_udp)
			find_out(note);
		if (note->foreign)
			return;
	}
	struct packet packet;
	if (!parse_direct(skb, sent, &packet))
		return;
	packet.state = sk->__sk_common.skc_state;
	if (is_scoped(packet.route.local) || is_scoped(packet.peer.address))
		packet.route.interface = interface_of(skb, sent);
	on_datagram(NULL, note, &packet, sent);
	if (packet.peer.port != DNS_PORT)
		return;
	u64 *allowance = bpf_sk_storage_get(&askers, sk, NULL, sent ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (sent && awaited(allowance, true, 0))
		on_question(skb, note, &packet);
	else if (sent)
		count(COUNTER_LOST_DNS);
	else if (!awaited(allowance, false, skb->len))
		count(COUNTER_UNASKED_DNS);
}

SEC("fentry/ip_send_skb")
int send_udp4(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[1];
	struct sock *sk = skb->sk;
	if (sk)
		on_direct(sk, skb, true);
	return 0;
}

SEC("fentry/ip6_send_skb")
int send_udp6(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct sock *sk = skb->sk;
	if (sk)
		on_direct(sk, skb, true);
	return 0;
}

SEC("fentry/__udp_enqueue_schedule_skb")
int deliver_udp(u64 *ctx)
{
	on_direct((void *)ctx[0], (void *)ctx[1], false);
	return 0;
}

/* Where the bytes that were just read went, if that was one buffer: an address of the current process, or 0. */
INLINE u64 read_into(struct msghdr *msg, u64 bytes)
{
	struct iov_iter *iter = (void *)AT(msg, msg_iter);
	u8 type = READ(iter, iter_type);
	u64 offset = READ(iter, iov_offset);
	if (type == ENUM_VALUE(enum iter_type, ITER_UBUF))
		return (u64)READ(iter, ubuf) + offset - bytes;
	if (type != ENUM_VALUE(enum iter_type, ITER_IOVEC))
		return 0;
	struct iovec *buffer;
	if (HAS_FIELD((struct iov_iter *)0, __iov))
		buffer = (void *)READ(iter, __iov);
	else
		buffer = (void *)READ((struct iov_iter___before_6_4 *)iter, iov);
	if (offset >= bytes)
		return (u64)READ(buffer, iov_base) + offset - bytes;
	/* it is full, and the next one begins */
	buffer -= 1;
	u64 length = READ(buffer, iov_len);
	return offset || length < bytes ? 0 : (u64)READ(buffer, iov_base) + length - bytes;
}

/* The far end of what was just read. */
INLINE void read_from(struct sock *sk, struct msghdr *msg, struct peer *peer, const struct note *note)
{
	struct ends ends = {};
	struct {
		u16 family, port;
		u32 ipv4;
		u8 ipv6[16];
	} from = {};
	void *name = READ(msg, msg_name);
	if (READ(sk, __sk_common.skc_dport)) {
		addresses_of(&ends, sk);
		*peer = ends.peer;
		peer->port = __builtin_bswap16(READ(sk, __sk_common.skc_dport));
	} else if (name) {
		bpf_probe_read_kernel(&from, sizeof(from), name);
		if (from.family == AF_INET)
			map_ipv4(peer->address, from.ipv4);
		else
			copy_address(peer->address, from.ipv6);
		peer->port = __builtin_bswap16(from.port);
	} else {
		*peer = note->flow.peer;
	}
}

static __attribute__((noinline)) int on_read(struct sock *sk, struct msghdr *msg, u64 flags, u64 bytes)
{
	u64 *allowance = bpf_sk_storage_get(&askers, sk, NULL, 0);
	if (!allowance || !*allowance || flags & MSG_PEEK || bytes - 1 >= 65535)
		return 0;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note)
		return 0;
	struct peer peer = {};
	read_from(sk, msg, &peer, note);
	u64 from = read_into(msg, bytes);
	if (peer.port != DNS_PORT || !from)
		return 0;
	struct dns_record head = {};
	begin_dns(&head, note, &peer, false, false);
	put_dns_at(from, false, &head, bytes);
	return 0;
}

SEC("fexit/udp_recvmsg")
int read_udp4(u64 *ctx)
{
	u64 result = 0;
	bpf_get_func_ret(ctx, &result);
	if ((s32)result > 0)
		on_read((void *)ctx[0], (void *)ctx[1], ctx[3], (u32)result);
	return 0;
}

SEC("fexit/udpv6_recvmsg")
int read_udp6(u64 *ctx)
{
	u64 result = 0;
	bpf_get_func_ret(ctx, &result);
	if ((s32)result > 0)
		on_read((void *)ctx[0], (void *)ctx[1], ctx[3], (u32)result);
	return 0;
}

/* A TCP socket that is connected to a DNS server: that server. */
INLINE void server_of_tcp(struct sock *sk, struct peer *server)
{
	struct ends ends = {};
	addresses_of(&ends, sk);
	*server = ends.peer;
	server->port = DNS_PORT;
}

/* Buffers of a question by TCP: the C library writes its length in one, and itself in another. */
enum { BUFFERS = 4 };

static __attribute__((noinline)) int on_written(struct sock *sk, struct msghdr *msg)
{
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note || !awaited(bpf_sk_storage_get(&askers, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE), true, 0))
		return 0;
	struct peer server = {};
	struct dns_record head = {};
	server_of_tcp(sk, &server);
	begin_dns(&head, note, &server, true, true);
	head.sequence = READ((struct tcp_sock *)sk, write_seq);
	struct iov_iter *iter = (void *)AT(msg, msg_iter);
	u8 type = READ(iter, iter_type);
	u64 left = READ(iter, count);
	if (type == ENUM_VALUE(enum iter_type, ITER_UBUF)) {
		put_dns_at((u64)READ(iter, ubuf) + READ(iter, iov_offset), false, &head, left < DNS_BYTES ? left : DNS_BYTES);
		return 0;
	}
	if (type != ENUM_VALUE(enum iter_type, ITER_IOVEC) || READ(iter, iov_offset))
		return 0;
	struct iovec *buffers;
	if (HAS_FIELD((struct iov_iter *)0, __iov))
		buffers = (void *)READ(iter, __iov);
	else
		buffers = (void *)READ((struct iov_iter___before_6_4 *)iter, iov);
	for (u32 i = 0; i < BUFFERS && left; i++) {
		u64 size = READ(buffers + i, iov_len);
		size = size < left ? size : left;
		put_dns_at((u64)READ(buffers + i, iov_base), false, &head, size < DNS_BYTES ? size : DNS_BYTES);
		head.sequence += size;
		left -= size;
	}
	return 0;
}

/* Checks the port and ends, except for those who query a DNS server by TCP. */
SEC("fentry/tcp_sendmsg")
int write_tcp(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	if (sk->__sk_common.skc_dport == __builtin_bswap16(DNS_PORT))
		on_written(sk, (void *)ctx[1]);
	return 0;
}

static __attribute__((noinline)) int on_read_tcp(struct sock *sk, struct msghdr *msg, u64 bytes)
{
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note || !awaited(bpf_sk_storage_get(&askers, sk, NULL, 0), false, bytes))
		return 0;
	u64 from = read_into(msg, bytes);
	if (!from)
		return 0;
	struct peer server = {};
	struct dns_record head = {};
	server_of_tcp(sk, &server);
	begin_dns(&head, note, &server, false, true);
	u32 first = READ((struct tcp_sock *)sk, copied_seq) - (u32)bytes;
	for (u32 i = 0; i < MAX_PIECES; i++) {
		u64 done = i * DNS_BYTES;
		if (done >= bytes)
			return 0;
		u64 left = bytes - done;
		head.sequence = first + done;
		put_dns_at(from + done, false, &head, left < DNS_BYTES ? left : DNS_BYTES);
	}
	return 0;
}

SEC("fexit/tcp_recvmsg")
int read_tcp(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	u64 result = 0;
	if (sk->__sk_common.skc_dport != __builtin_bswap16(DNS_PORT) || ctx[3] & MSG_PEEK)
		return 0;
	bpf_get_func_ret(ctx, &result);
	if ((s32)result > 0)
		on_read_tcp(sk, (void *)ctx[1], (u32)result);
	return 0;
}

/* Whether a packet has other ends than its socket knows; then report them. */
static __attribute__((noinline)) int on_translated(struct sk_buff *skb, u64 cookie, const struct peer *peer,
						   const u8 local[16], u16 local_port)
{
	struct packet wire;
	if (!parse_direct(skb, true, &wire))
		return 0;
	struct sock *sk = READ(skb, sk);
	if (!same_peer(peer, &wire.peer) || !same_address(local, wire.route.local) || local_port != wire.local_port)
		emit_nat(READ(sk, sk_protocol), tcp_holder(sk, cookie), cookie, peer, &wire.route, wire.local_port);
	return 0;
}

/* Netfilter's rules for a packet have been applied: at this hook it continues (1), or is stopped (a negative errno). */
SEC("fexit/nf_hook_slow")
int filtered(u64 *ctx)
{
	struct nf_hook_state *state = (void *)ctx[1];
	s32 verdict = ctx[4];
	u8 hook = state->hook;
	if (!(hook == NF_INET_POST_ROUTING && verdict == 1) && !(hook >= NF_INET_LOCAL_OUT && verdict < 0))
		return 0;
	struct sock *sk = state->sk;
	if (!sk || (state->pf != NFPROTO_IPV4 && state->pf != NFPROTO_IPV6))
		return 0;
	struct sk_buff *skb = (void *)ctx[0];
	/* others than these may be less than a complete socket */
	u8 socket_state = sk->__sk_common.skc_state;
	if (socket_state == TCP_SYN_SENT) {
		struct ends ends = {};
		if (verdict != 1)
			return 0;
		addresses_of(&ends, sk);
		ends.peer.port = __builtin_bswap16(sk->__sk_common.skc_dport);
		on_translated(skb, bpf_get_socket_cookie(sk), &ends.peer, ends.local, sk->__sk_common.skc_num);
		return 0;
	}
	if ((socket_state != TCP_ESTABLISHED && socket_state != TCP_CLOSE) || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	struct note *note = bpf_sk_storage_get(&notes, sk, NULL, 0);
	if (!note || !note->unsettled)
		return 0;
	note->unsettled = 0;
	if (verdict < 0)
		on_refused(note, -verdict);
	else
		on_translated(skb, note->cookie, &note->flow.peer, note->flow.local, sk->__sk_common.skc_num);
	return 0;
}

#endif
