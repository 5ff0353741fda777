/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IP packets, as programs of a control group see them. */
#ifndef PROCWIRE_PACKET_H
#define PROCWIRE_PACKET_H

#include "tables.h"

/* What is needed of an IP packet; the route's interface is left to those who need it. */
struct packet {
	union {
		struct route route;
		struct peer peer;
	};
	u16 local_port;
	/* of the socket */
	u8 state;
	/* offset of the transport's header */
	u32 transport;
};

/* Where source, destination and ports of IPv4 stand, if its header has no options: in words of the packet. */
enum { PLAIN_IPV4 = 0x45, SOURCE = 3, DESTINATION = 4, PORTS = 5 };

/* Most packets: read in place, without a call. False for others, and for those whose beginning is not at hand. */
INLINE bool parse_plain(struct __sk_buff *skb, bool sent, struct packet *packet)
{
	const u32 *words = (void *)(u64)skb->data;
	if (skb->protocol != __builtin_bswap16(ETH_P_IP) || (void *)(words + PORTS + 1) > (void *)(u64)skb->data_end ||
	    *(const u8 *)words != PLAIN_IPV4)
		return false;
	u32 ports = __builtin_bswap32(words[PORTS]);
	map_ipv4(packet->route.local, words[sent ? SOURCE : DESTINATION]);
	map_ipv4(packet->route.peer.address, words[sent ? DESTINATION : SOURCE]);
	packet->route.peer.port = sent ? ports : ports >> 16;
	packet->local_port = sent ? ports >> 16 : ports;
	packet->transport = PORTS * 4;
	return true;
}

INLINE bool parse(struct __sk_buff *skb, bool sent, struct packet *packet)
{
	u8 source[16], destination[16];
	__builtin_memset(packet, 0, sizeof(*packet));
	if (parse_plain(skb, sent, packet))
		return true;
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
	copy_address(packet->route.local, sent ? source : destination);
	copy_address(packet->route.peer.address, sent ? destination : source);
	packet->route.peer.port = __builtin_bswap16(sent ? ports[1] : ports[0]);
	packet->local_port = __builtin_bswap16(sent ? ports[0] : ports[1]);
	return true;
}

#endif
