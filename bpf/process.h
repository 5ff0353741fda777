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
 * Whether it is the current process with the users that it has now: one that binds as root and then gives that up is to
 * be looked at again. A kernel thread or an interrupt that borrows a task is not told from it.
 */
INLINE bool is_current(const struct owner *owner)
{
	struct task_struct *task = bpf_get_current_task_btf();
	return owner->tgid == task->tgid && owner->exec_id == (u32)task->self_exec_id &&
	       owner->uid == task->cred->uid.val && owner->euid == task->cred->euid.val;
}

/*
 * Global functions, with the kernel's objects as numbers: the verifier then looks at each once, not at every call.
 */

#define TRUNCATED 0x80000000u

enum { WALK_GOES_ON, WALK_DONE, WALK_CUT };
/* 256 names, and mounts between them; so many at a time as the verifier follows */
enum { WALK_STEPS = 64, WALKS = 6 };

/* the number of all mount namespaces that no process is in, since Linux 6.18; before, they have none */
enum { MOUNTS_OF_NOBODY = 0xEFFFFFF7 };

/* A mount that was taken away, or never put in any place, is no root: the path to it is not known. */
INLINE bool is_root(struct mount *mount)
{
	u32 namespace = READ(READ(mount, mnt_ns), ns.inum);
	return namespace && namespace != MOUNTS_OF_NOBODY;
}

/* A way from a file up to the root of its mount namespace. */
struct walk {
	u64 dentry;
	u64 vfsmount;
	u32 length;
	u32 state;
};

__attribute__((noinline)) int walk_up(struct names *to, struct walk *walk)
{
	if (!to || !walk)
		return 0;
	struct dentry *dentry = (void *)walk->dentry;
	struct vfsmount *vfsmount = (void *)walk->vfsmount;
	u32 length = walk->length;
	walk->state = WALK_GOES_ON;
	for (int i = 0; i < WALK_STEPS; i++) {
		struct dentry *parent = READ(dentry, d_parent);
		if (dentry == READ(vfsmount, mnt_root)) {
			struct mount *mount =
				(void *)vfsmount - __builtin_preserve_field_info(((struct mount *)0)->mnt, FIELD_BYTE_OFFSET);
			struct mount *mount_parent = READ(mount, mnt_parent);
			if (mount == mount_parent) {
				walk->state = is_root(mount) ? WALK_DONE : WALK_CUT;
				break;
			}
			dentry = READ(mount, mnt_mountpoint);
			vfsmount = (void *)mount_parent +
				   __builtin_preserve_field_info(((struct mount *)0)->mnt, FIELD_BYTE_OFFSET);
			continue;
		}
		long wrote = length > PATH_BYTES ? 0
						 : bpf_probe_read_kernel_str(to->bytes + length, NAME_BYTES,
									     READ(dentry, d_name.name));
		if (wrote <= 0) {
			walk->state = WALK_CUT;
			break;
		}
		length += wrote & (NAME_BYTES * 2 - 1);
		/* in no tree: memfd and the like */
		if (dentry == parent) {
			walk->state = WALK_DONE;
			break;
		}
		dentry = parent;
	}
	walk->dentry = (u64)dentry;
	walk->vfsmount = (u64)vfsmount;
	walk->length = length;
	return 0;
}

/* The names from a file up to the root of its mount namespace, leaf first. The bytes written, or with TRUNCATED. */
INLINE u32 put_path(struct names *to, struct file *file)
{
	if (!file)
		return 0;
	struct walk walk = {
		.dentry = (u64)READ(file, f_path.dentry),
		.vfsmount = (u64)READ(file, f_path.mnt),
	};
	for (int i = 0; i < WALKS && walk.state == WALK_GOES_ON; i++)
		walk_up(to, &walk);
	return walk.state == WALK_DONE ? walk.length : walk.length | TRUNCATED;
}

INLINE struct kernfs_node *parent_node(struct kernfs_node *node)
{
	if (HAS_FIELD((struct kernfs_node *)0, __parent))
		return READ(node, __parent);
	return (void *)READ((struct kernfs_node___before_6_15 *)node, parent);
}

/* Likewise the names from a control group up to the root. */
__attribute__((noinline)) u32 put_cgroup(struct group_names *to, u64 node_address)
{
	struct kernfs_node *node = (void *)node_address;
	u32 length = 0;
	if (!to || !node)
		return 0;
	for (int i = 0; i < 40; i++) {
		struct kernfs_node *parent = parent_node(node);
		if (!parent)
			return length;
		if (length > CGROUP_BYTES)
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

/* The arguments of the current process, which execute and fork leave where they were written. */
INLINE u32 put_command(void *to, struct mm_struct *mm)
{
	unsigned long start = READ(mm, arg_start);
	u64 size = READ(mm, arg_end) - start;
	if (size > COMMAND_BYTES)
		size = COMMAND_BYTES;
	return bpf_probe_read_user(to, size, (void *)start) ? 0 : size;
}

/* Remember what a process runs; `here`: it is the current one. The image's id, 0 if there is none. */
__attribute__((noinline)) u64 note_image(u64 task_address, u32 here)
{
	struct task_struct *task = (void *)task_address;
	struct mm_struct *mm = READ(task, mm);
	/* a kernel thread */
	struct draft *draft = mm ? take_draft() : NULL;
	if (!draft)
		return 0;
	struct image *image = &draft->image;
	u32 path = put_path((void *)draft->bytes, READ(mm, exe_file));
	u32 bytes = path & ~TRUNCATED;
	if (bytes > IMAGE_PATH_BYTES) {
		bytes = IMAGE_PATH_BYTES;
		path |= TRUNCATED;
	}
	u64 now_ns = bpf_ktime_get_boot_ns();
	u64 id = (now_ns << 22 | now_ns >> 42) ^ READ(task, tgid);
	image->record = (struct image_record){
		.type = RECORD_IMAGE, .truncated = path >> 31, .path_bytes = bytes, .image = id};
	bpf_probe_read_kernel(image->path, IMAGE_PATH_BYTES, draft->bytes);
	image->command_bytes = here ? put_command(image->command, mm) : 0;
	image->told = 0;
	bpf_map_update_elem(&images, &id, image, BPF_ANY);
	draft->taken = 0;
	return id;
}

/*
 * Remember what a process runs and who forked it, and the same of its ancestors, as far as that is not known: from fork
 * and exec, or as it is now for those that ran before. Once known, it stays so when the parents are gone.
 */
__attribute__((noinline)) int note_lineage(u64 task_address, u32 here)
{
	struct task_struct *task = (void *)task_address;
	for (int i = 0; i < ANCESTORS; i++) {
		struct task_struct *leader = READ(task, group_leader);
		u32 tgid = READ(leader, tgid);
		if (!tgid)
			break;
		struct origin origin = {
			.start_boot_ns = READ(leader, start_boottime),
			.exec_id = READ(task, self_exec_id),
		};
		struct origin *known = bpf_map_lookup_elem(&origins, &tgid);
		if (known && known->start_boot_ns != origin.start_boot_ns)
			known = NULL;
		if (known && known->exec_id == origin.exec_id)
			break;
		struct task_struct *parent = READ(leader, real_parent);
		parent = READ(parent, group_leader);
		if (known) {
			origin.parent_tgid = known->parent_tgid;
			origin.parent_start_boot_ns = known->parent_start_boot_ns;
			origin.parent_image = known->parent_image;
		} else {
			origin.parent_tgid = READ(parent, tgid);
			origin.parent_start_boot_ns = READ(parent, start_boottime);
		}
		origin.image = note_image((u64)task, here && i == 0);
		bpf_map_update_elem(&origins, &tgid, &origin, BPF_ANY);
		task = parent;
	}
	return 0;
}

/* Have user space know an image. */
__attribute__((noinline)) int tell_image(u64 id)
{
	struct image *image = bpf_map_lookup_elem(&images, &id);
	if (!image)
		return 0;
	u64 told = requests_for(id) + 1;
	if (image->told == told)
		return 0;
	u64 bytes = image->record.path_bytes;
	if (bytes > IMAGE_PATH_BYTES)
		return 0;
	if (bpf_ringbuf_output(&ring, &image->record, sizeof(image->record) + bytes, BPF_RB_NO_WAKEUP) == 0)
		image->told = told;
	return 0;
}

INLINE struct origin *origin_of(u32 tgid, u64 start_boot_ns)
{
	struct origin *origin = bpf_map_lookup_elem(&origins, &tgid);
	return origin && origin->start_boot_ns == start_boot_ns ? origin : NULL;
}

/* The ancestors of a process, nearest first, as far as they are known. Returns how many. */
__attribute__((noinline)) u32 put_ancestors(struct names *to, u32 tgid, u64 start_boot_ns)
{
	u32 count = 0;
	if (!to)
		return 0;
	struct ancestor *ancestors = (void *)to;
	struct origin *origin = origin_of(tgid, start_boot_ns);
	for (; count < ANCESTORS && origin && origin->parent_tgid; count++) {
		struct ancestor ancestor = {
			.tgid = origin->parent_tgid,
			.start_boot_ns = origin->parent_start_boot_ns,
			.image = origin->parent_image,
		};
		origin = origin_of(ancestor.tgid, ancestor.start_boot_ns);
		if (!ancestor.image && origin)
			ancestor.image = origin->image;
		ancestors[count] = ancestor;
		if (ancestor.image)
			tell_image(ancestor.image);
	}
	return count;
}

/* Where the next part of a description goes; the mask changes nothing, it is there for the verifier. */
#define PART(draft, length) ((void *)(draft)->bytes + ((length)&8191))

/* As stat() writes the number of a device (the kernel's new_encode_dev). */
INLINE u32 encoded_device(u32 device)
{
	u32 major = device >> 20, minor = device & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

INLINE void put_image(struct process_record *record, struct file *file)
{
	struct inode *inode = READ(file, f_inode);
	struct dentry *dentry = READ(file, f_path.dentry);
	record->device = encoded_device(READ(READ(inode, i_sb), s_dev));
	record->inode = READ(inode, i_ino);
	record->image_state = IMAGE_ORDINARY;
	if (READ(dentry, d_parent) == dentry) {
		/* in no tree; the root of one is no file */
		u64 name = 0;
		bpf_probe_read_kernel(&name, 6, READ(dentry, d_name.name));
		/* "memfd:" */
		if (name == 0x3a64666d656dULL)
			record->image_state = IMAGE_MEMFD;
	} else if (!READ(dentry, d_hash.pprev)) {
		record->image_state = IMAGE_DELETED;
	}
}

/* `here`: the process is the current one, whose memory can be read. */
INLINE long hand_over(struct draft *draft, struct task_struct *task, const struct owner *owner, bool here)
{
	struct process_record *record = &draft->record;
	__builtin_memset(record, 0, sizeof(*record));
	record->type = RECORD_PROCESS;
	record->owner = *owner;
	u32 ancestors = put_ancestors((void *)draft->bytes, owner->tgid, owner->start_boot_ns);
	if (ancestors > ANCESTORS)
		return -1;
	u32 length = ancestors * sizeof(struct ancestor);
	struct mm_struct *mm = READ(task, mm);
	struct file *file = mm ? READ(mm, exe_file) : NULL;
	u32 executable = put_path(PART(draft, length), file);
	length += executable & ~TRUNCATED;
	if (file)
		put_image(record, file);
	record->mount_namespace = READ(READ(READ(task, nsproxy), mnt_ns), ns.inum);
	struct css_set *cgroups = READ(task, cgroups);
	struct cgroup *cgroup = READ(cgroups, dfl_cgrp);
	u32 group = put_cgroup(PART(draft, length), (u64)READ(cgroup, kn));
	length += group & ~TRUNCATED;
	u64 size = 0;
	/* as it was executed; a process can write another over it */
	struct origin *origin = origin_of(owner->tgid, owner->start_boot_ns);
	u64 image_id = origin && origin->exec_id == owner->exec_id ? origin->image : 0;
	struct image *image = bpf_map_lookup_elem(&images, &image_id);
	if (image && image->command_bytes) {
		size = image->command_bytes;
		if (size > COMMAND_BYTES || bpf_probe_read_kernel(PART(draft, length), size, image->command))
			size = 0;
	} else if (mm && here) {
		size = put_command(PART(draft, length), mm);
	}
	record->ancestors = ancestors;
	record->executable_bytes = executable;
	record->cgroup_bytes = group;
	record->command_bytes = size;
	record->truncated = executable >> 31 | group >> 31 << 1;
	u64 bytes = sizeof(*record) + length + size;
	if (bytes > sizeof(*record) + sizeof(draft->bytes))
		return -1;
	return bpf_ringbuf_output(&ring, record, bytes, BPF_RB_NO_WAKEUP);
}

static __attribute__((noinline)) int tell_now(u64 task_address, const struct owner *owner, u32 here)
{
	if (!owner)
		return 0;
	struct draft *draft = take_draft();
	long result = draft ? hand_over(draft, (void *)task_address, owner, here) : -1;
	if (draft)
		draft->taken = 0;
	if (result)
		count(COUNTER_LOST_PROCESS);
	return result == 0;
}

/* Inlined, so that the deepest chain of calls below it fits the 512 bytes that a program's stacks have together. */
INLINE bool tell_unless(const struct told *now, u64 task_address, const struct owner *owner, bool here)
{
	u32 tgid = owner->tgid;
	if (is_told(bpf_map_lookup_elem(&told, &tgid), now))
		return true;
	note_lineage(task_address, here);
	if (!tell_now(task_address, owner, here))
		return false;
	bpf_map_update_elem(&told, &tgid, now, BPF_ANY);
	return true;
}

/* Tell user space of a process, unless it knows. Returns whether it knows now. `here`: it is the current one. */
INLINE bool tell(u64 task_address, const struct owner *owner, bool here)
{
	struct told now = {
		.owner = *owner,
		.cgroup_id = cgroup_of((void *)task_address),
		.requests = requests_for(owner->tgid),
	};
	return tell_unless(&now, task_address, owner, here);
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
	if (tell_unless(&now, bpf_get_current_task(), owner, true) && last)
		*last = now;
}

/* What it is before it connects, if it ever does: whoever forked it may be gone by then, and its arguments overwritten. */
SEC("tp_btf/sched_process_fork")
int process_forked(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct task_struct *child = (void *)ctx[1];
	u32 parent_tgid = task->tgid;
	u32 tgid = child->tgid;
	/* a thread */
	if (child->pid != tgid)
		return 0;
	u64 parent_start_boot_ns = task->group_leader->start_boottime;
	struct origin *parent = origin_of(parent_tgid, parent_start_boot_ns);
	if (!parent || parent->exec_id != (u32)task->self_exec_id) {
		note_lineage(bpf_get_current_task(), true);
		parent = origin_of(parent_tgid, parent_start_boot_ns);
		if (!parent)
			return 0;
	}
	u64 image = parent->image;
	/* evicted; to look for it is also what keeps it */
	if (image && !bpf_map_lookup_elem(&images, &image)) {
		image = note_image(bpf_get_current_task(), true);
		parent->image = image;
	}
	struct origin origin = {
		.start_boot_ns = child->start_boottime,
		.image = image,
		.parent_start_boot_ns = parent_start_boot_ns,
		.parent_image = image,
		.parent_tgid = parent_tgid,
		.exec_id = child->self_exec_id,
	};
	bpf_map_update_elem(&origins, &tgid, &origin, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int process_executed(u64 *ctx)
{
	note_lineage(bpf_get_current_task(), true);
	return 0;
}

#endif
