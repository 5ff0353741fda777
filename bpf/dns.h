/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* DNS: what a process asks its servers, and what they answer. */
#ifndef PROCWIRE_DNS_H
#define PROCWIRE_DNS_H

#include "packet.h"
#include "tcp.h"

INLINE void on_dns(struct __sk_buff *skb, const struct note *note, const struct packet *packet, bool sent,
		   bool over_tcp)
{
	if (sent)
		return;
	u32 start = packet->transport + 8, sequence = 0;
	if (over_tcp) {
		u8 header[13];
		if (bpf_skb_load_bytes(skb, packet->transport, header, sizeof(header)))
			return;
		__builtin_memcpy(&sequence, header + 4, 4);
		start = packet->transport + (header[12] >> 4) * 4;
	}
	u32 end = skb->len;
	if (end > start + DNS_BYTES)
		end = start + DNS_BYTES;
	u32 size = end - start;
	/* kept apart from `start`, so that the verifier sees its bounds */
	asm volatile("" : "+r"(size));
	if (size < 1 || size > DNS_BYTES)
		return;
	struct dns_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(COUNTER_LOST_DNS);
		return;
	}
	record->type = RECORD_DNS;
	record->over_tcp = over_tcp;
	record->sent = sent;
	record->pad = 0;
	record->payload_bytes = size;
	record->peer_port = packet->peer.port;
	copy_address(record->peer, packet->peer.address);
	record->tgid = note->owner.tgid;
	record->start_boot_ns = note->owner.start_boot_ns;
	record->cookie = bpf_get_socket_cookie(skb);
	record->time_boot_ns = bpf_ktime_get_boot_ns();
	record->sequence = __builtin_bswap32(sequence);
	if (bpf_skb_load_bytes(skb, start, record->payload, size))
		record->payload_bytes = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

#endif
