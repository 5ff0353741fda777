/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes: who is current, and telling user space of whom it does not know. */
#ifndef PROCWIRE_PROCESS_H
#define PROCWIRE_PROCESS_H

#include "tables.h"

INLINE void owner_of(struct owner *owner, struct task_struct *task)
{
	owner->start_boot_ns = task->group_leader->start_boottime;
	owner->exec_id = task->self_exec_id;
	owner->tgid = task->tgid;
	owner->uid = task->cred->uid.val;
	owner->euid = task->cred->euid.val;
}

INLINE u64 cgroup_of(struct task_struct *task)
{
	return READ(READ(READ(READ(task, cgroups), dfl_cgrp), kn), id);
}

/* Whether they are one process, since the same exec. */
INLINE bool same_process(const struct owner *a, const struct owner *b)
{
	return a->tgid == b->tgid && a->start_boot_ns == b->start_boot_ns && a->exec_id == b->exec_id;
}

/*
 * Global functions, with the kernel's objects as numbers: the verifier then looks at each once, not at every call.
 */

#define TRUNCATED 0x80000000u

/* The names from a file up to the root of its mount namespace, leaf first. The bytes written, or with TRUNCATED. */
__attribute__((noinline)) u32 put_path(struct names *to, u64 file_address)
{
	struct file *file = (void *)file_address;
	u32 length = 0;
	if (!to || !file)
		return 0;
	struct dentry *dentry = READ(file, f_path.dentry);
	struct vfsmount *vfsmount = READ(file, f_path.mnt);
	for (int i = 0; i < 80; i++) {
		struct dentry *parent = READ(dentry, d_parent);
		if (dentry == READ(vfsmount, mnt_root)) {
			struct mount *mount =
				(void *)vfsmount - __builtin_preserve_field_info(((struct mount *)0)->mnt, FIELD_BYTE_OFFSET);
			struct mount *mount_parent = READ(mount, mnt_parent);
			if (mount == mount_parent)
				return length;
			dentry = READ(mount, mnt_mountpoint);
			vfsmount = (void *)mount_parent +
				   __builtin_preserve_field_info(((struct mount *)0)->mnt, FIELD_BYTE_OFFSET);
			continue;
		}
		if (length > PATH_BYTES)
			break;
		long wrote = bpf_probe_read_kernel_str(to->bytes + length, NAME_BYTES, READ(dentry, d_name.name));
		if (wrote <= 0)
			break;
		length += wrote & (NAME_BYTES * 2 - 1);
		/* in no tree: memfd and the like */
		if (dentry == parent)
			return length;
		dentry = parent;
	}
	return length | TRUNCATED;
}

INLINE struct kernfs_node *parent_node(struct kernfs_node *node)
{
	if (HAS_FIELD((struct kernfs_node *)0, __parent))
		return READ(node, __parent);
	return (void *)READ((struct kernfs_node___before_6_15 *)node, parent);
}

/* Likewise the names from a control group up to the root. */
__attribute__((noinline)) u32 put_cgroup(struct names *to, u64 node_address)
{
	struct kernfs_node *node = (void *)node_address;
	u32 length = 0;
	if (!to || !node)
		return 0;
	for (int i = 0; i < 40; i++) {
		struct kernfs_node *parent = parent_node(node);
		if (!parent)
			return length;
		if (length > PATH_BYTES)
			break;
		long wrote = bpf_probe_read_kernel_str(to->bytes + length, NAME_BYTES, READ(node, name));
		if (wrote <= 0)
			break;
		length += wrote & (NAME_BYTES * 2 - 1);
		node = parent;
	}
	return length | TRUNCATED;
}

INLINE u64 requests_for(u32 tgid)
{
	u32 slot = tgid % REQUESTS;
	u64 *asked = bpf_map_lookup_elem(&requests, &slot);
	return asked ? *(volatile u64 *)asked : 0;
}

/* Whether user space knows the process, unless it has asked for it again since. */
INLINE bool is_told(const struct told *told, const struct told *now)
{
	return told && told->requests == now->requests && told->cgroup_id == now->cgroup_id &&
	       same_process(&told->owner, &now->owner);
}

INLINE struct draft *take_draft(void)
{
	for (u32 slot = 0; slot < DRAFTS; slot++) {
		u32 key = slot;
		struct draft *draft = bpf_map_lookup_elem(&drafts, &key);
		if (draft && __sync_val_compare_and_swap(&draft->taken, 0, 1) == 0)
			return draft;
	}
	return NULL;
}

/* Where the next part of a description goes; the mask changes nothing, it is there for the verifier. */
#define PART(draft, length) ((void *)(draft)->bytes + ((length)&4095))

/* `here`: the process is the current one, whose memory can be read. */
INLINE long hand_over(struct draft *draft, struct task_struct *task, const struct owner *owner, bool here)
{
	struct process_record *record = &draft->record;
	record->type = RECORD_PROCESS;
	record->pad[0] = record->pad[1] = 0;
	record->owner = *owner;
	struct mm_struct *mm = READ(task, mm);
	u32 executable = mm ? put_path(PART(draft, 0), (u64)READ(mm, exe_file)) : 0;
	u32 length = executable & ~TRUNCATED;
	struct task_struct *leader = READ(task, group_leader);
	struct task_struct *parent = READ(leader, real_parent);
	parent = READ(parent, group_leader);
	record->parent_tgid = READ(parent, tgid);
	record->parent_start_boot_ns = READ(parent, start_boottime);
	struct mm_struct *parent_mm = READ(parent, mm);
	u32 parent_executable = parent_mm ? put_path(PART(draft, length), (u64)READ(parent_mm, exe_file)) : 0;
	length += parent_executable & ~TRUNCATED;
	struct css_set *cgroups = READ(task, cgroups);
	struct cgroup *cgroup = READ(cgroups, dfl_cgrp);
	u32 group = put_cgroup(PART(draft, length), (u64)READ(cgroup, kn));
	length += group & ~TRUNCATED;
	u64 size = 0;
	if (mm && here) {
		unsigned long start = READ(mm, arg_start);
		size = READ(mm, arg_end) - start;
		if (size > COMMAND_BYTES)
			size = COMMAND_BYTES;
		if (bpf_probe_read_user(PART(draft, length), size, (void *)start))
			size = 0;
	}
	record->executable_bytes = executable;
	record->parent_executable_bytes = parent_executable;
	record->cgroup_bytes = group;
	record->command_bytes = size;
	record->truncated = (executable | parent_executable | group) >> 31;
	u64 bytes = sizeof(*record) + length + size;
	if (bytes > sizeof(*record) + sizeof(draft->bytes))
		return -1;
	return bpf_ringbuf_output(&ring, record, bytes, BPF_RB_NO_WAKEUP);
}

/* Tell user space of a process, unless it knows. Returns whether it knows now. */
__attribute__((noinline)) int tell(u64 task_address, const struct owner *owner, u32 here)
{
	struct task_struct *task = (void *)task_address;
	if (!owner)
		return 0;
	u32 tgid = owner->tgid;
	struct told now = {.owner = *owner, .cgroup_id = cgroup_of(task), .requests = requests_for(tgid)};
	struct told *known = bpf_map_lookup_elem(&told, &tgid);
	if (is_told(known, &now))
		return 1;
	struct draft *draft = take_draft();
	long result = draft ? hand_over(draft, task, owner, here) : -1;
	if (draft)
		draft->taken = 0;
	if (result) {
		count(COUNTER_LOST_PROCESS);
		return 0;
	}
	bpf_map_update_elem(&told, &tgid, &now, BPF_ANY);
	return 1;
}

/* The process told of last on each processor: mostly it is the same again, and no look into the table is needed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct told);
} recent SEC(".maps");

/* The current process, which user space then knows. */
INLINE void owner_here(struct owner *owner)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 zero = 0;
	owner_of(owner, task);
	struct told now = {
		.owner = *owner,
		.cgroup_id = task->cgroups->dfl_cgrp->kn->id,
		.requests = requests_for(owner->tgid),
	};
	struct told *last = bpf_map_lookup_elem(&recent, &zero);
	if (is_told(last, &now))
		return;
	if (tell(bpf_get_current_task(), owner, true) && last)
		*last = now;
}

#endif
