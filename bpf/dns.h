/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* DNS: what a process queries its servers for, and what they answer. User space finds out what belongs together. */
#ifndef PROCWIRE_DNS_H
#define PROCWIRE_DNS_H

#include "packet.h"
#include "readers.h"
#include "accept.h"

static u64 (*const bpf_ringbuf_query)(void *ringbuf, u64 flags) = (void *)134;
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };

enum { DNS_PORT = 53, SYN = 1 << 1 };
/* A header, the longest name, type and class: all that is read of a question by UDP. */
enum { QUESTION_BYTES = 12 + 255 + 4 };
/* Sizes of payload that are reserved in the ring: most messages are short. */
enum { SHORT_BYTES = 128, MIDDLE_BYTES = 512 };
/* Pieces of a segment: the kernel joins and splits segments of up to 64 KB. */
enum { MAX_PIECES = 16 };
/* Bytes of answers that are read for each question, and at most beforehand. */
enum { ANSWER_ALLOWANCE = 1 << 17, MAX_ALLOWANCE = 1 << 20 };

/*
 * Sockets that sent questions, and how many bytes of answers are still read. So what nobody requested, from whichever
 * host, takes no space in the ring.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} askers SEC(".maps");

/*
 * The server as the socket sees it. A connected socket is sent nothing but by its peer, so that is the server, whatever
 * address it has on the wire: Docker's 127.0.0.11 is sent to another port. Of others udp.h has translated it back.
 */
INLINE void server_of(struct dns_record *record, struct bpf_sock *sk, const struct packet *packet)
{
	record->peer_port = packet->peer.port;
	copy_address(record->peer, packet->peer.address);
	if (sk->dst_port != __builtin_bswap16(DNS_PORT))
		return;
	record->peer_port = DNS_PORT;
	if (sk->family == AF_INET) {
		u32 address = sk->dst_ip4;
		/* kept apart: the compiler would choose between the places to load from, which the verifier refuses */
		asm volatile("" : "+r"(address));
		map_ipv4(record->peer, address);
	} else {
		u32 words[4] = {sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]};
		copy_address(record->peer, words);
	}
}

/* `room` is a constant: the verifier requires it. */
INLINE bool put_payload(struct __sk_buff *skb, const struct dns_record *head, u32 start, u32 size, const u32 room)
{
	struct dns_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record) + room, 0);
	if (!record)
		return false;
	*record = *head;
	record->payload_bytes = size;
	/* Kept apart from what is known of it, so that the verifier sees its bounds; some of them learn nothing from `!= 0`. */
	u32 last = size - 1;
	asm volatile("" : "+r"(last));
	if (last >= room || bpf_skb_load_bytes(skb, start, record + 1, last + 1))
		record->payload_bytes = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* Global: verified once, and not for each piece of a segment. */
__attribute__((noinline)) int put_dns(struct __sk_buff *skb, const struct dns_record *head, u32 start, u32 size)
{
	bool put;
	if (!head)
		return 0;
	/* Names are worth less than events: who queries a lot, or is answered a lot, leaves these half of the ring. */
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 2)
		put = false;
	else if (size <= SHORT_BYTES)
		put = put_payload(skb, head, start, size, SHORT_BYTES);
	else if (size <= MIDDLE_BYTES)
		put = put_payload(skb, head, start, size, MIDDLE_BYTES);
	else
		put = put_payload(skb, head, start, size, DNS_BYTES);
	if (!put)
		count(COUNTER_LOST_DNS);
	return 0;
}

/* Of a question: whether its answers are awaited now. Of an answer: whether it is. */
INLINE bool awaited(u64 *allowance, bool sent, u32 size)
{
	if (!allowance)
		return false;
	u64 left = *allowance;
	if (sent) {
		left += ANSWER_ALLOWANCE;
		*allowance = left < MAX_ALLOWANCE ? left : MAX_ALLOWANCE;
		return true;
	}
	*allowance = left > size ? left - size : 0;
	return left != 0;
}

/*
 * Whoever sends by UDP is current, if he has the socket; he does not where a packet filter lets datagrams go later. TCP
 * sends in interrupts too, so that is whoever connected.
 */
INLINE void asker_of(struct dns_record *record, const struct note *note)
{
	struct owner owner = note->owner;
	struct task_struct *task = bpf_get_current_task_btf();
	if (record->sent && !record->over_tcp && task->tgid != owner.tgid && !(task->flags & PF_KTHREAD) &&
	    holds(bpf_get_current_task(), file_of((struct sock *)note->sk), SCRATCH_EGRESS))
		owner_of(&owner, task, bpf_get_current_task());
	record->tgid = owner.tgid;
	record->holder = owner.holder;
	record->start_boot_ns = owner.start_boot_ns;
}

/* Global: verified once, and not for all that its caller may know of a packet. */
__attribute__((noinline)) int on_dns(struct __sk_buff *skb, const struct note *note, const struct packet *packet,
				     u32 sent, u32 over_tcp)
{
	if (!note || !packet)
		return 0;
	struct bpf_sock *sk = skb->sk ? bpf_sk_fullsock(skb->sk) : NULL;
	if (!sk)
		return 0;
	struct dns_record head = {.type = RECORD_DNS, .over_tcp = over_tcp, .sent = sent};
	u32 start = packet->transport + 8, sequence = 0;
	if (over_tcp) {
		u8 header[14];
		if (bpf_skb_load_bytes(skb, packet->transport, header, sizeof(header)))
			return 0;
		__builtin_memcpy(&sequence, header + 4, 4);
		/* Fast Open: the SYN takes a number, what it carries comes after it */
		sequence = __builtin_bswap32(sequence) + !!(header[13] & SYN);
		start = packet->transport + (header[12] >> 4) * 4;
	}
	if (skb->len <= start)
		return 0;
	u32 size = skb->len - start;
	if (!awaited(bpf_sk_storage_get(&askers, sk, NULL, sent ? BPF_SK_STORAGE_GET_F_CREATE : 0), sent, size)) {
		count(sent ? COUNTER_LOST_DNS : COUNTER_UNASKED_DNS);
		return 0;
	}
	server_of(&head, sk, packet);
	head.cookie = bpf_get_socket_cookie(skb);
	head.time_boot_ns = bpf_ktime_get_boot_ns();
	asker_of(&head, note);
	if (!over_tcp) {
		u32 most = sent ? QUESTION_BYTES : DNS_BYTES;
		put_dns(skb, &head, start, size < most ? size : most);
		return 0;
	}
	/* What is sent in larger pieces is no question. */
	for (u32 i = 0; i < (sent ? 1 : MAX_PIECES); i++) {
		u32 done = i * DNS_BYTES;
		if (done >= size)
			return 0;
		u32 left = size - done;
		head.sequence = sequence + done;
		put_dns(skb, &head, start + done, left < DNS_BYTES ? left : DNS_BYTES);
	}
	return 0;
}

#endif
