/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables of programs and of their processes' origins: who is found in them, and who makes place. */
#ifndef PROCWIRE_ORIGINS_H
#define PROCWIRE_ORIGINS_H

#include "tables.h"

/* 1 or 0, without branches, which the verifier would all follow: the compiler must not see what the value is. */
INLINE u64 is_zero(u64 value)
{
	u64 negative = -value;
	asm volatile("" : "+r"(negative));
	u64 zero = ((value | negative) >> 63) ^ 1;
	asm volatile("" : "+r"(zero));
	return zero;
}

/* Whether a process lives and has executed nothing since. One variable for all that is read: the stack is narrow. */
INLINE u64 runs(const struct runner *runner, u32 exec_id)
{
	struct task_struct *task = (void *)runner->task;
	u64 value = 0;
	bpf_probe_read_kernel(&value, sizeof(task->start_boottime), &task->start_boottime);
	u64 other = value ^ runner->start_boot_ns;
	bpf_probe_read_kernel(&value, sizeof(task->self_exec_id), &task->self_exec_id);
	other |= (u32)value ^ exec_id;
	value = 0;
	bpf_probe_read_kernel(&value, sizeof(task->flags), &task->flags);
	return is_zero(other | (value & PF_EXITING));
}

/*
 * The higher, the sooner the one in a place makes place: the last digits are the place. Nanoseconds since boot, but for
 * these: 57 bits are four years.
 */
INLINE u64 worth_of(u64 share, u64 is_needed, u64 used_ns, u32 place)
{
	return share << 58 | (is_needed ^ 1) << 57 | (~used_ns & ((1ULL << 57) - PLACES)) | place;
}

INLINE struct image *image_at(u32 number, u32 place)
{
	struct image_shelf *shelf = place < PLACES ? bpf_map_lookup_elem(&images, &number) : NULL;
	if (!shelf)
		return NULL;
	u64 index = place & (PLACES - 1);
	/* or the compiler adds it before the check, which the verifier refuses */
	asm volatile("" : "+r"(index));
	return &shelf->images[index & (PLACES - 1)];
}

/* NULL for none, and for 0. */
INLINE struct image *image_of(u64 id)
{
	u32 number = id & (IMAGE_SHELVES - 1), place = 0;
	struct image_shelf *shelf = bpf_map_lookup_elem(&images, &number);
	if (!shelf)
		return NULL;
	for (u32 i = 1; i < PLACES; i++)
		place += is_zero(shelf->images[i].record.image ^ id) * i;
	struct image *image = image_at(number, place);
	return image && id && image->record.image == id ? image : NULL;
}

INLINE struct origin *origin_at(u32 number, u32 place)
{
	struct origin_shelf *shelf = place < PLACES ? bpf_map_lookup_elem(&origins, &number) : NULL;
	if (!shelf)
		return NULL;
	u64 index = place & (PLACES - 1);
	asm volatile("" : "+r"(index));
	return &shelf->origins[index & (PLACES - 1)];
}

INLINE struct origin *find_origin(u32 tgid)
{
	u32 number = tgid & (ORIGIN_SHELVES - 1), place = 0;
	struct origin_shelf *shelf = bpf_map_lookup_elem(&origins, &number);
	if (!shelf)
		return NULL;
	for (u32 i = 1; i < PLACES; i++)
		place += is_zero(shelf->origins[i].tgid ^ tgid) * i;
	struct origin *origin = origin_at(number, place);
	return origin && origin->tgid == tgid ? origin : NULL;
}

/* Global: the verifier looks at each once. */
__attribute__((noinline)) u32 image_place(u32 number, u32 holder)
{
	struct image_shelf *shelf = bpf_map_lookup_elem(&images, &number);
	u64 best = 0;
	if (!shelf)
		return PLACES;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < PLACES; i++) {
		struct image *image = &shelf->images[i];
		if (!image->record.image)
			return i;
		u64 share = is_zero(image->holder ^ holder), is_needed = 0;
#pragma clang loop unroll(disable)
		for (u32 j = 0; j < PLACES; j++)
			share += is_zero(shelf->images[j].holder ^ image->holder);
#pragma clang loop unroll(full)
		for (u32 j = 0; j < RUNNERS; j++)
			is_needed |= runs(&image->runners[j], image->exec_id);
		u64 worth = worth_of(share, is_needed, image->used_ns, i);
		if (worth > best)
			best = worth;
	}
	return best & (PLACES - 1);
}

__attribute__((noinline)) u32 origin_place(u32 number, u32 holder)
{
	struct origin_shelf *shelf = bpf_map_lookup_elem(&origins, &number);
	u64 best = 0;
	if (!shelf)
		return PLACES;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < PLACES; i++) {
		struct origin *origin = &shelf->origins[i];
		if (!origin->tgid)
			return i;
		u64 share = is_zero(origin->holder ^ holder);
#pragma clang loop unroll(disable)
		for (u32 j = 0; j < PLACES; j++)
			share += is_zero(shelf->origins[j].holder ^ origin->holder);
		struct runner runner = {origin->task, origin->start_boot_ns};
		u64 worth = worth_of(share, runs(&runner, origin->exec_id), origin->start_boot_ns, i);
		if (worth > best)
			best = worth;
	}
	return best & (PLACES - 1);
}

/* Whether a number's place is ours to write. */
INLINE bool take_place(u64 *number)
{
	u64 before = *(volatile u64 *)number;
	return before != BEING_WRITTEN && __sync_val_compare_and_swap(number, before, BEING_WRITTEN) == before;
}

/* Its place, taken, or NULL: `record.image` is to be written last. */
INLINE struct image *new_image(u64 id, u32 holder)
{
	u32 number = id & (IMAGE_SHELVES - 1);
	struct image *image = image_at(number, image_place(number, holder));
	return image && take_place(&image->record.image) ? image : NULL;
}

INLINE void put_origin(const struct origin *from)
{
	u64 tgid = from->tgid;
	u32 number = tgid & (ORIGIN_SHELVES - 1);
	struct origin *origin = find_origin(tgid);
	if (!origin)
		origin = origin_at(number, origin_place(number, from->holder));
	if (!origin || !take_place(&origin->tgid))
		return;
	origin->start_boot_ns = from->start_boot_ns;
	origin->image = from->image;
	origin->parent_start_boot_ns = from->parent_start_boot_ns;
	origin->parent_image = from->parent_image;
	origin->parent_tgid = from->parent_tgid;
	origin->exec_id = from->exec_id;
	origin->task = from->task;
	origin->holder = from->holder;
	*(volatile u64 *)&origin->tgid = tgid;
}

#endif
