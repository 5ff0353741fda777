/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handing a connection over: its ends, its record, and who claims it afterwards. */
#ifndef PROCWIRE_CONNECTION_H
#define PROCWIRE_CONNECTION_H

#include "process.h"

INLINE u32 netns_of(struct sock *sk)
{
	return READ(READ(sk, __sk_common.skc_net.net), ns.inum);
}

/*
 * fe80::/10, 169.254.0.0/16, and groups of no wider scope: such an address means something else on each interface.
 */
INLINE bool is_scoped(const u8 address[16])
{
	u64 words[2];
	__builtin_memcpy(words, address, 16);
	if (address[0] == 0xff)
		return (address[1] & 15) <= 2;
	if (address[0] == 0xfe)
		return (address[1] & 0xc0) == 0x80;
	return words[0] == 0 && (words[1] & 0xffffffffffffULL) == 0xfea9ffff0000ULL;
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
	copy_address(record->peer, ends->peer.address);
	record->peer_port = ends->peer.port;
	record->netns = ends->netns;
	record->local_port = ends->local_port;
	record->interface = ends->interface;
}

INLINE void ends_of(struct connection_record *record, struct sock *sk)
{
	struct ends ends = {};
	addresses_of(&ends, sk);
	/* a closed socket has given its skc_num back */
	ends.local_port = __builtin_bswap16(READ((struct inet_sock *)sk, inet_sport));
	ends.peer.port = __builtin_bswap16(READ(sk, __sk_common.skc_dport));
	ends.netns = netns_of(sk);
	if (is_scoped(ends.local))
		ends.interface = READ(sk, __sk_common.skc_bound_dev_if);
	put_ends(record, &ends);
}

/* The same of a socket that the verifier vouches for and that is open, without a call for each member. */
INLINE void ends_of_open(struct ends *ends, struct sock *sk)
{
	/* before any branch, see find_owner_here */
	ends->netns = sk->__sk_common.skc_net.net->ns.inum;
	if (sk->__sk_common.skc_family == AF_INET) {
		map_ipv4(ends->local, sk->__sk_common.skc_rcv_saddr);
		map_ipv4(ends->peer.address, sk->__sk_common.skc_daddr);
	} else {
		addresses_of(ends, sk);
	}
	ends->local_port = sk->__sk_common.skc_num;
	ends->peer.port = __builtin_bswap16(sk->__sk_common.skc_dport);
	if (is_scoped(ends->local))
		ends->interface = sk->__sk_common.skc_bound_dev_if;
}

INLINE void begin(struct connection_record *record, u8 kind, u8 attribution, u8 protocol, u64 now_ns)
{
	record->type = RECORD_CONNECTION;
	record->kind = kind;
	record->attribution = attribution;
	record->protocol = protocol;
	record->state = 0;
	record->initiated = kind == KIND_CONNECT || kind == KIND_SENT || kind == KIND_ATTEMPT;
	record->error = 0;
	record->time_boot_ns = now_ns;
	record->interface = 0;
	record->pad = 0;
}

INLINE struct connection_record *reserve(u8 kind, u8 attribution, u8 protocol, u64 now_ns)
{
	struct connection_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (record)
		begin(record, kind, attribution, protocol, now_ns);
	else
		count(COUNTER_LOST_CONNECTION);
	return record;
}

INLINE void submit(struct connection_record *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* Who really used a socket that was reported as PENDING. */
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

#endif
