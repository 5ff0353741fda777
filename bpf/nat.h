/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses that netfilter translates. A datagram that goes out has been translated when the programs see it, and one
 * that comes in has been translated back; what the socket knows is found in the entry of connection tracking that the
 * datagram carries.
 */
#ifndef PROCWIRE_NAT_H
#define PROCWIRE_NAT_H

#include "connection.h"
#include "packet.h"

/* include/net/netfilter/nf_conntrack_tuple.h; the same since Linux 2.6 */
struct tuple {
	u8 source[16];
	u16 source_port;
	u16 family;
	u8 destination[16];
	u16 destination_port;
	u8 protocol;
	u8 direction;
};

struct tuple_hash {
	void *next, **pprev;
	struct tuple tuple;
};

enum { IS_REPLY = 3, UNTRACKED = 7, INFO = 7, IPS_NAT = 1 << 4 | 1 << 5 };

/*
 * Where connection tracking is a module its types are not among the kernel's. Then it is where it is on all kernels
 * without debugging of locks; what is read there is compared with the datagram.
 */
struct nf_conn {
	struct tuple_hash tuplehash[2];
} __attribute__((preserve_access_index));
enum { TUPLES_OFFSET = 16 };

INLINE bool same_address(const u8 a[16], const u8 b[16])
{
	u64 x[2], y[2];
	__builtin_memcpy(x, a, 16);
	__builtin_memcpy(y, b, 16);
	return x[0] == y[0] && x[1] == y[1];
}

/* One end of a tuple in the words of a packet. */
INLINE void end_of(struct peer *end, const u8 address[16], u16 port, u16 family)
{
	u32 ipv4;
	__builtin_memcpy(&ipv4, address, 4);
	if (family == AF_INET)
		map_ipv4(end->address, ipv4);
	else
		copy_address(end->address, address);
	end->port = __builtin_bswap16(port);
}

/* Whether there was a difference. */
INLINE bool replace(u8 address[16], u16 *port, const struct peer *end)
{
	if (same_address(address, end->address) && *port == end->port)
		return false;
	copy_address(address, end->address);
	*port = end->port;
	return true;
}

/*
 * Of a datagram that goes out, in `route` as it is on the wire: put the addresses there that the socket sees. `answer`:
 * whether it answers what came in, as far as connection tracking knows. Returns whether they differ.
 */
static __attribute__((noinline)) int untranslate(struct __sk_buff *skb, struct packet *packet, bool *answer)
{
	u64 tracked = READ((struct sk_buff *)skb, _nfct);
	u32 info = tracked & INFO;
	tracked &= ~(u64)INFO;
	if (!tracked || info == UNTRACKED)
		return 0;
	u64 offset = TUPLES_OFFSET;
	if (HAS_FIELD((struct nf_conn *)0, tuplehash))
		offset = __builtin_preserve_field_info(((struct nf_conn *)0)->tuplehash, FIELD_BYTE_OFFSET);
	struct tuple_hash *tuples = (void *)(tracked + offset);
	bool reply = info >= IS_REPLY;
	struct tuple tuple;
	struct peer end = {};
	/* what leaves is what the other direction answers */
	if (bpf_probe_read_kernel(&tuple, sizeof(tuple), &tuples[!reply].tuple) || tuple.direction != !reply ||
	    tuple.protocol != IPPROTO_UDP)
		return 0;
	end_of(&end, tuple.source, tuple.source_port, tuple.family);
	if (!same_address(end.address, packet->peer.address) || end.port != packet->peer.port)
		return 0;
	end_of(&end, tuple.destination, tuple.destination_port, tuple.family);
	if (!same_address(end.address, packet->route.local) || end.port != packet->local_port)
		return 0;
	*answer = reply;
	if (bpf_probe_read_kernel(&tuple, sizeof(tuple), &tuples[reply].tuple))
		return 0;
	end_of(&end, tuple.destination, tuple.destination_port, tuple.family);
	bool translated = replace(packet->peer.address, &packet->peer.port, &end);
	end_of(&end, tuple.source, tuple.source_port, tuple.family);
	return replace(packet->route.local, &packet->local_port, &end) || translated;
}

/* Report a translation, before the flow or connection that it is of. `wire`: its ends as they are translated. */
INLINE void emit_nat(u8 protocol, u32 holder, u64 cookie, const struct peer *peer, const struct route *wire, u16 local_port)
{
	struct nat_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return;
	record->type = RECORD_NAT;
	record->protocol = protocol;
	__builtin_memset(record->pad, 0, sizeof(record->pad));
	record->local_port = local_port;
	record->peer_port = wire->peer.port;
	record->cookie = cookie;
	record->peer = *peer;
	copy_address(record->translated_local, wire->local);
	copy_address(record->translated_peer, wire->peer.address);
	record->holder = holder;
	record->pad2 = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* Who connects; one that is not in its slot is known by its socket's user. */
INLINE u32 tcp_holder(struct sock *sk, u64 cookie)
{
	struct tcp *tcp = slot_of(cookie);
	return tcp && tcp->cookie == cookie ? tcp->owner.holder : READ(sk, sk_uid.val);
}

/* A SYN goes out: its addresses are the socket's, unless they were translated. */
static __attribute__((noinline)) int on_tcp_nat(struct __sk_buff *skb)
{
	if (!READ((struct sk_buff *)skb, _nfct))
		return 0;
	struct sock *sk = READ((struct sk_buff *)skb, sk);
	struct packet wire;
	struct ends ends = {};
	if (!parse(skb, true, &wire))
		return 0;
	addresses_of(&ends, sk);
	ends.peer.port = __builtin_bswap16(READ(sk, __sk_common.skc_dport));
	if (!same_address(ends.peer.address, wire.peer.address) || ends.peer.port != wire.peer.port ||
	    !same_address(ends.local, wire.route.local) || READ(sk, __sk_common.skc_num) != wire.local_port)
		emit_nat(IPPROTO_TCP, tcp_holder(sk, bpf_get_socket_cookie(skb)), bpf_get_socket_cookie(skb), &ends.peer,
			 &wire.route, wire.local_port);
	return 0;
}

#endif
