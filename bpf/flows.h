/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of UDP flows. A flow may stand in one of eight places. Where all are taken, the user who has most of them
 * gives up the oldest of theirs: whoever makes many flows pushes out their own.
 */
#ifndef PROCWIRE_FLOWS_H
#define PROCWIRE_FLOWS_H

#include "tables.h"

INLINE bool same_peer(const struct peer *a, const struct peer *b)
{
	const u64 *x = (const void *)a, *y = (const void *)b;
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

INLINE bool same_local(const struct route *a, const struct route *b)
{
	const u64 *x = (const void *)a->local, *y = (const void *)b->local;
	return x[0] == y[0] && x[1] == y[1];
}

INLINE bool same_route(const struct route *a, const struct route *b)
{
	return same_peer(&a->peer, &b->peer) && same_local(a, b) && a->interface == b->interface;
}

INLINE bool is_idle(u64 last_ns, u64 now_ns)
{
	return now_ns > last_ns && now_ns - last_ns >= udp_idle_ns;
}

INLINE u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
	hash ^= hash >> 32;
	hash *= 0xc4ceb9fe1a85ec53ULL;
	return hash ^ hash >> 29;
}

/* On which shelf the flows of a socket and a far end stand. */
INLINE u32 shelf_of(u64 cookie, const struct peer *peer)
{
	const u64 *words = (const void *)peer;
	return mix(mix(mix(mix(flow_seed, cookie), words[0]), words[1]), words[2]) & (SHELVES - 1);
}

/* NULL for a place that does not exist. */
INLINE struct flow *flow_at(u32 key, u32 place)
{
	struct shelf *shelf = place < SHELF ? bpf_map_lookup_elem(&shelves, &key) : NULL;
	if (!shelf)
		return NULL;
	u64 index = place & (SHELF - 1);
	/* or the compiler adds it before the check, which the verifier refuses */
	asm volatile("" : "+r"(index));
	return &shelf->flows[index & (SHELF - 1)];
}

/*
 * Functions that the verifier checks once, each with every path through it.
 *
 * The place of a datagram's flow; SHELF if there is none. What answers a flow may leave from another address than it
 * came to, as to a group or to all.
 */
__attribute__((noinline)) u32 find_place(u32 key, u64 cookie, const struct route *route, u32 sent)
{
	struct shelf *shelf = bpf_map_lookup_elem(&shelves, &key);
	u32 answered = SHELF;
	if (!shelf || !route)
		return SHELF;
	for (u32 i = 0; i < SHELF; i++) {
		struct flow *flow = &shelf->flows[i];
		if (flow->cookie != cookie || !same_peer(&flow->route.peer, &route->peer) ||
		    flow->route.interface != route->interface)
			continue;
		if (same_local(&flow->route, route))
			return i;
		if (sent && flow->initiated == INITIATED_NO)
			answered = i;
	}
	return answered;
}

/* A place for a flow of a user: a free one, that of an idle flow, or that of the oldest flow of who has most here. */
__attribute__((noinline)) u32 make_place(u32 key, u32 holder, u64 now_ns)
{
	struct shelf *shelf = bpf_map_lookup_elem(&shelves, &key);
	u64 best = 0;
	u32 place = SHELF;
	if (!shelf)
		return SHELF;
	for (u32 i = 0; i < SHELF; i++) {
		struct flow *flow = &shelf->flows[i];
		if (!flow->cookie)
			return i;
		u64 share = 0;
		/* without branches, which the verifier would all follow: 1 where there is no difference */
		for (u32 j = 0; j < SHELF; j++)
			share += ((u64)(shelf->flows[j].holder ^ flow->holder) - 1) >> 63;
		share += ((u64)(flow->holder ^ holder) - 1) >> 63;
		if (is_idle(flow->last_ns, now_ns))
			share = SHELF + 2;
		/* nanoseconds since boot: 57 bits are four years */
		u64 worth = share << 57 | (~flow->last_ns & ((1ULL << 57) - 1));
		if (worth > best) {
			best = worth;
			place = i;
		}
	}
	if (best >> 57 < SHELF + 2)
		count(COUNTER_EVICTED);
	return place;
}

INLINE struct flow *find_flow(u32 key, u64 cookie, const struct route *route, bool sent)
{
	return flow_at(key, find_place(key, cookie, route, sent));
}

/* Take note of a flow that is not in the table. */
INLINE struct flow *put_flow(u32 key, u64 cookie, const struct note *note, u64 now_ns)
{
	struct flow *flow = flow_at(key, make_place(key, note->owner.holder, now_ns));
	if (!flow)
		return NULL;
	/* free, as long as it is neither the one nor the other */
	flow->cookie = 0;
	flow->last_ns = note->flow_ns;
	flow->route = note->flow;
	flow->holder = note->owner.holder;
	flow->initiated = note->initiated;
	flow->unread = 0;
	flow->cookie = cookie;
	return flow;
}

#endif
