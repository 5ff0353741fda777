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

INLINE bool parse(struct __sk_buff *skb, bool sent, struct packet *packet)
{
	u8 source[16], destination[16];
	__builtin_memset(packet, 0, sizeof(*packet));
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
