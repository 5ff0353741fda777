/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes: who is current, and describing to user space those it does not know. */
#ifndef PROCWIRE_PROCESS_H
#define PROCWIRE_PROCESS_H

#include "origins.h"

/*
 * Who pays for what is remembered of a process: its user. A user namespace has users of its own, 65,536 or more, all of
 * whoever made it; one that root made, as for a container, pays for itself. Its number is larger than any user's.
 */
__attribute__((noinline)) u32 holder_at(u64 task_address)
{
	struct cred *cred = (void *)READ((struct task_struct *)task_address, cred);
	struct user_namespace *space = READ(cred, user_ns);
	if (!READ(space, level))
		return READ(cred, uid.val);
	for (int i = 0; i < USER_NAMESPACES && READ(space, level) > 1; i++)
		space = READ(space, parent);
	u32 owner = READ(space, owner.val);
	return owner ? owner : READ(space, ns.inum);
}

/* `address`: the task's. */
INLINE void owner_of(struct owner *owner, struct task_struct *task, u64 address)
{
	owner->start_boot_ns = task->group_leader->start_boottime;
	owner->exec_id = task->self_exec_id;
	owner->tgid = task->tgid;
	owner->uid = task->cred->uid.val;
	owner->euid = task->cred->euid.val;
	owner->holder = task->cred->user_ns->level ? holder_at(address) : owner->uid;
	owner->pad = 0;
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
 * Whether it is the current process, with the users that it has now: a daemon that binds as root and then drops that is
 * another owner than the one that was noted.
 */
__attribute__((noinline)) int is_current(const struct owner *owner)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (!owner)
		return 0;
	return owner->tgid == task->tgid && owner->exec_id == (u32)task->self_exec_id &&
	       owner->uid == task->cred->uid.val && owner->euid == task->cred->euid.val;
}

/*
 * Global functions, with the kernel's objects as numbers: the verifier then checks each once, not at every call.
 */

#define TRUNCATED 0x80000000u

/* The compiler knows more of a value than the verifier, and leaves out checks that the verifier requires. */
#define FORGET(value) asm volatile("" : "+r"(value))

enum { WALK_GOES_ON, WALK_DONE, WALK_CUT };
/* 256 names, and mounts between them */
enum { WALK_STEPS = 384 };

/* the number of all mount namespaces that no process is in, since Linux 6.18; before, they have none */
enum { MOUNTS_OF_NOBODY = 0xEFFFFFF7 };

/* A mount that was taken away, or never put in any place, is no root: the path to it is not known. */
INLINE bool is_root(struct mount *mount)
{
	u32 namespace = READ(READ(mount, mnt_ns), ns.inum);
	return namespace && namespace != MOUNTS_OF_NOBODY;
}

#define OFFSET_IN_MOUNT __builtin_preserve_field_info(((struct mount *)0)->mnt, FIELD_BYTE_OFFSET)

/* Go one name up, or from a mount to what it is mounted on. */
__attribute__((noinline)) int walk_up(struct names *to, struct walk *walk)
{
	if (!to || !walk)
		return 0;
	if (walk->dentry == READ(walk->vfsmount, mnt_root)) {
		walk->mount = (void *)walk->vfsmount - OFFSET_IN_MOUNT;
		walk->mount_parent = READ(walk->mount, mnt_parent);
		if (walk->mount == walk->mount_parent)
			walk->state = is_root(walk->mount) ? WALK_DONE : WALK_CUT;
		walk->dentry = READ(walk->mount, mnt_mountpoint);
		walk->vfsmount = (void *)walk->mount_parent + OFFSET_IN_MOUNT;
		return 0;
	}
	walk->parent = READ(walk->dentry, d_parent);
	u64 length = walk->length;
	FORGET(length);
	long wrote = 0;
	if (length <= PATH_BYTES)
		wrote = bpf_probe_read_kernel_str(to->bytes + length, NAME_BYTES, READ(walk->dentry, d_name.name));
	if (wrote <= 0) {
		walk->state = WALK_CUT;
		return 0;
	}
	walk->length = length + (wrote & (NAME_BYTES * 2 - 1));
	/* in no tree: memfd, for example */
	if (walk->dentry == walk->parent)
		walk->state = WALK_DONE;
	walk->dentry = walk->parent;
	return 0;
}

/* The names from a file up to the root of its mount namespace, leaf first. The bytes written, or with TRUNCATED. */
INLINE u32 put_path(struct names *to, struct walk *walk, struct file *file)
{
	if (!file)
		return 0;
	walk->dentry = READ(file, f_path.dentry);
	walk->vfsmount = READ(file, f_path.mnt);
	walk->length = 0;
	walk->state = WALK_GOES_ON;
	for (int i = 0; i < WALK_STEPS && walk->state == WALK_GOES_ON; i++)
		walk_up(to, walk);
	u32 length = walk->length;
	return walk->state == WALK_DONE ? length : length | TRUNCATED;
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

/* Whether user space knows the process, unless it has requested it again since. */
INLINE bool is_told(const struct told *told, const struct owner *owner, u64 cgroup_id)
{
	return told && told->requests == requests_for(owner->tgid) && told->cgroup_id == cgroup_id &&
	       same_process(&told->owner, owner);
}

INLINE struct draft *draft_at(u32 slot)
{
	return bpf_map_lookup_elem(&drafts, &slot);
}

/* The slot of a draft, for functions to find it by: older kernels take no other memory for a table's key. DRAFTS: none. */
__attribute__((noinline)) u32 take_draft(void)
{
	for (u32 slot = 0; slot < DRAFTS; slot++) {
		struct draft *draft = draft_at(slot);
		if (draft && __sync_val_compare_and_swap(&draft->taken, 0, 1) == 0)
			return slot;
	}
	return DRAFTS;
}

INLINE void give_back(u32 slot)
{
	struct draft *draft = draft_at(slot);
	if (draft)
		draft->taken = 0;
}

/* The arguments of the current process, which execute and fork leave where they were written. */
INLINE u32 put_command(void *to, struct mm_struct *mm)
{
	unsigned long start = READ(mm, arg_start);
	u64 size = READ(mm, arg_end) - start;
	if (size > COMMAND_BYTES)
		size = COMMAND_BYTES;
	FORGET(size);
	size &= 2 * COMMAND_BYTES - 1;
	return bpf_probe_read_user(to, size, (void *)start) ? 0 : size;
}

/* As stat() writes the number of a device (the kernel's new_encode_dev). */
INLINE u32 encoded_device(u32 device)
{
	u32 major = device >> 20, minor = device & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

INLINE u32 device_of(struct inode *inode)
{
	return encoded_device(READ(READ(inode, i_sb), s_dev));
}

/* Write down what a process runs; `here`: it is the current one. The image's id, 0 if there is none. */
INLINE u64 draft_image(struct draft *draft, struct task_struct *task, bool here)
{
	u32 zero = 0;
	u64 *ids = bpf_map_lookup_elem(&image_ids, &zero);
	struct mm_struct *mm = READ(task, mm);
	/* a kernel thread */
	if (!mm || !ids)
		return 0;
	struct image *image = &draft->image;
	struct file *file = READ(mm, exe_file);
	struct inode *inode = READ(file, f_inode);
	u32 path = put_path((void *)draft->bytes, &draft->walk, file);
	u32 bytes = path & ~TRUNCATED;
	if (bytes > IMAGE_PATH_BYTES) {
		bytes = IMAGE_PATH_BYTES;
		path |= TRUNCATED;
	}
	image->record.truncated = path >> 31;
	image->record.path_bytes = bytes;
	bpf_probe_read_kernel(image->path, IMAGE_PATH_BYTES, draft->bytes);
	image->command_bytes = here ? put_command(image->command, mm) : 0;
	image->device = device_of(inode);
	image->inode = READ(inode, i_ino);
	image->told = 0;
	image->used_ns = bpf_ktime_get_boot_ns();
	image->holder = draft->origin.holder;
	image->exec_id = draft->origin.exec_id;
	__builtin_memset(image->runners, 0, sizeof(image->runners));
	image->runners[0].task = draft->origin.task;
	image->runners[0].start_boot_ns = draft->origin.start_boot_ns;
	return __sync_fetch_and_add(ids, 1) + 1;
}

/* Write down who forked a process and what it runs. Whether that was not known. */
__attribute__((noinline)) int draft_origin(u32 slot, u64 task_address, u32 here)
{
	struct task_struct *task = (void *)task_address;
	struct draft *draft = draft_at(slot);
	struct task_struct *leader = READ(task, group_leader);
	u32 tgid = READ(leader, tgid);
	if (!draft || !tgid)
		return 0;
	struct origin *origin = &draft->origin;
	origin->start_boot_ns = READ(leader, start_boottime);
	origin->exec_id = READ(task, self_exec_id);
	struct origin *known = find_origin(tgid);
	if (known && known->start_boot_ns == origin->start_boot_ns) {
		if (known->exec_id == origin->exec_id)
			return 0;
		origin->parent_tgid = known->parent_tgid;
		origin->parent_start_boot_ns = known->parent_start_boot_ns;
		origin->parent_image = known->parent_image;
	} else {
		struct task_struct *parent = READ(READ(leader, real_parent), group_leader);
		origin->parent_tgid = READ(parent, tgid);
		origin->parent_start_boot_ns = READ(parent, start_boottime);
		origin->parent_image = 0;
	}
	origin->tgid = tgid;
	origin->task = (u64)leader;
	origin->holder = draft->holder;
	origin->image = draft_image(draft, task, here);
	return 1;
}

/* Remember what was written down. Not where it was, for the stack is narrow. */
INLINE void put_draft(u32 slot)
{
	struct draft *draft = draft_at(slot);
	if (!draft)
		return;
	u64 id = draft->origin.image;
	struct image *image = id ? new_image(id, draft->origin.holder) : NULL;
	if (image) {
		bpf_probe_read_kernel(image->path, sizeof(*image) - sizeof(image->record), draft->image.path);
		image->record.type = RECORD_IMAGE;
		image->record.truncated = draft->image.record.truncated;
		image->record.path_bytes = draft->image.record.path_bytes;
		image->record.pad = 0;
		*(volatile u64 *)&image->record.image = id;
	}
	put_origin(&draft->origin);
}

/*
 * The same of a process and its ancestors, as far as it is not known: from fork and exec, or as it is now for those that
 * ran before. Once known, it stays so when the parents are gone.
 */
__attribute__((noinline)) int note_lineage(u64 task_address, u32 here)
{
	struct task_struct *task = (void *)task_address;
	u32 slot = take_draft();
	for (int i = 0; i < ANCESTORS; i++) {
		/* here, for the frames of functions are few */
		u32 holder = holder_at((u64)task);
		struct draft *draft = draft_at(slot);
		if (draft)
			draft->holder = holder;
		if (!draft_origin(slot, (u64)task, here && i == 0))
			break;
		put_draft(slot);
		task = READ(READ(READ(task, group_leader), real_parent), group_leader);
	}
	give_back(slot);
	return 0;
}

/* Have user space know an image. */
__attribute__((noinline)) int tell_image(u64 id)
{
	struct image *image = image_of(id);
	if (!image)
		return 0;
	u64 told = requests_for(id) + 1;
	if (image->told == told)
		return 0;
	u64 bytes = image->record.path_bytes;
	FORGET(bytes);
	if (bytes > IMAGE_PATH_BYTES)
		return 0;
	if (bpf_ringbuf_output(&ring, &image->record, sizeof(image->record) + bytes, BPF_RB_NO_WAKEUP))
		count(COUNTER_LOST_PROCESS);
	else
		image->told = told;
	return 0;
}

INLINE struct origin *origin_of(u32 tgid, u64 start_boot_ns)
{
	struct origin *origin = find_origin(tgid);
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

__attribute__((noinline)) int put_image(u32 slot, u64 file_address)
{
	struct file *file = (void *)file_address;
	struct draft *draft = draft_at(slot);
	if (!draft)
		return 0;
	struct process_record *record = &draft->record;
	struct inode *inode = READ(file, f_inode);
	struct dentry *dentry = READ(file, f_path.dentry);
	record->device = device_of(inode);
	record->inode = READ(inode, i_ino);
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
	return 0;
}

/* What a process executed, as it was noted then; NULL if it is not known. */
INLINE struct image *executed(const struct owner *owner)
{
	struct origin *origin = origin_of(owner->tgid, owner->start_boot_ns);
	u64 id = origin && origin->exec_id == owner->exec_id ? origin->image : 0;
	return image_of(id);
}

/* The command line after `length` bytes: as executed, for a process can write another over it. Bytes of it. */
__attribute__((noinline)) u32 put_command_of(u32 slot, u64 task_address, u32 length, u32 here)
{
	struct task_struct *task = (void *)task_address;
	struct draft *draft = draft_at(slot);
	if (!draft)
		return 0;
	struct image *image = executed(&draft->record.owner);
	u32 size = image ? image->command_bytes : 0;
	FORGET(size);
	if (image && size) {
		if (size > COMMAND_BYTES || bpf_probe_read_kernel(PART(draft, length), size, image->command))
			return 0;
		return size;
	}
	struct mm_struct *mm = here ? READ(task, mm) : NULL;
	return mm ? put_command(PART(draft, length), mm) : 0;
}

/* What was executed, after `length` bytes, if the process runs another file now: no exec did that. As the next. */
__attribute__((noinline)) u32 put_replaced(u32 slot, u32 length)
{
	struct draft *draft = draft_at(slot);
	if (!draft)
		return 0;
	struct process_record *record = &draft->record;
	struct image *image = executed(&record->owner);
	if (!image || !image->inode || (image->inode == record->inode && image->device == record->device))
		return 0;
	u64 bytes = image->record.path_bytes;
	FORGET(bytes);
	if (!bytes || bytes > IMAGE_PATH_BYTES || bpf_probe_read_kernel(PART(draft, length), bytes, image->path))
		return 0;
	record->device = image->device;
	record->inode = image->inode;
	record->image_state = IMAGE_REPLACED;
	return image->record.truncated ? bytes | TRUNCATED : bytes;
}

/* The executable after `length` bytes. The bytes written, or with TRUNCATED. */
__attribute__((noinline)) u32 put_executable(u32 slot, u64 task_address, u32 length)
{
	struct task_struct *task = (void *)task_address;
	struct draft *draft = draft_at(slot);
	struct mm_struct *mm = READ(task, mm);
	struct file *file = mm ? READ(mm, exe_file) : NULL;
	if (!draft || !file)
		return 0;
	put_image(slot, (u64)file);
	u32 replaced = put_replaced(slot, length);
	if (replaced)
		return replaced;
	return put_path(PART(draft, length), &draft->walk, file);
}

/* `here`: the process is the current one, whose memory can be read. In so many functions since the stack is narrow. */
__attribute__((noinline)) int hand_over(u32 slot, u64 task_address, u32 ancestors, u32 here)
{
	struct task_struct *task = (void *)task_address;
	struct draft *draft = draft_at(slot);
	FORGET(ancestors);
	if (!draft || ancestors > ANCESTORS)
		return -1;
	struct process_record *record = &draft->record;
	u32 length = ancestors * sizeof(struct ancestor);
	u64 executable = put_executable(slot, task_address, length);
	FORGET(executable);
	length += executable & (2 * PATH_BYTES - 1);
	record->mount_namespace = READ(READ(READ(task, nsproxy), mnt_ns), ns.inum);
	u64 group = put_cgroup(PART(draft, length), (u64)READ(READ(READ(task, cgroups), dfl_cgrp), kn));
	FORGET(group);
	length += group & (2 * CGROUP_BYTES - 1);
	u64 size = put_command_of(slot, task_address, length, here);
	FORGET(size);
	size &= 2 * COMMAND_BYTES - 1;
	record->ancestors = ancestors;
	record->executable_bytes = executable;
	record->cgroup_bytes = group;
	record->command_bytes = size;
	record->truncated = (executable >> 31 & 1) | (group >> 31 & 1) << 1;
	u64 bytes = sizeof(*record) + length + size;
	FORGET(bytes);
	if (bytes > sizeof(*record) + sizeof(draft->bytes))
		return -1;
	return bpf_ringbuf_output(&ring, record, bytes, BPF_RB_NO_WAKEUP);
}

/* Start a description: of which process, and how often user space had requested it. */
__attribute__((noinline)) int begin_draft(u32 slot, u64 task_address, const struct owner *owner)
{
	struct draft *draft = draft_at(slot);
	if (!draft || !owner)
		return 0;
	draft->told.owner = *owner;
	draft->told.cgroup_id = cgroup_of((void *)task_address);
	draft->told.requests = requests_for(owner->tgid);
	__builtin_memset(&draft->record, 0, sizeof(draft->record));
	draft->record.type = RECORD_PROCESS;
	draft->record.owner = *owner;
	return put_ancestors((void *)draft->bytes, owner->tgid, owner->start_boot_ns);
}

/* Describe a process to user space, unless it knows. Returns whether it knows now. */
__attribute__((noinline)) int tell(u64 task_address, const struct owner *owner, u32 here)
{
	struct task_struct *task = (void *)task_address;
	if (!owner)
		return 0;
	u32 tgid = owner->tgid;
	if (is_told(bpf_map_lookup_elem(&told, &tgid), owner, cgroup_of(task)))
		return 1;
	note_lineage(task_address, here);
	u32 slot = take_draft();
	u32 ancestors = begin_draft(slot, task_address, owner);
	struct draft *draft = draft_at(slot);
	int result = hand_over(slot, task_address, ancestors, here);
	if (result)
		count(COUNTER_LOST_PROCESS);
	else if (draft)
		bpf_map_update_elem(&told, &tgid, &draft->told, BPF_ANY);
	give_back(slot);
	return !result;
}

/* The process described last on each processor: mostly it is the same again, and no look-up in the table is needed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct told);
} recent SEC(".maps");

/* Global: of each member that is read through a pointer the verifier searches all types of the kernel. */
__attribute__((noinline)) int find_owner_here(struct owner *owner)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 zero = 0;
	if (!owner)
		return 0;
	owner_of(owner, task, bpf_get_current_task());
	u64 cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	u64 requests = requests_for(owner->tgid);
	struct told *last = bpf_map_lookup_elem(&recent, &zero);
	if (is_told(last, owner, cgroup_id))
		return 0;
	if (tell(bpf_get_current_task(), owner, true) && last)
		*last = (struct told){.owner = *owner, .cgroup_id = cgroup_id, .requests = requests};
	return 0;
}

/* The current process, which user space then knows. */
INLINE void owner_here(struct owner *owner)
{
	/* what a global function is passed has to be written before, and others may read `owner` */
	struct owner here = {};
	find_owner_here(&here);
	*owner = here;
}

/* Noted before it connects, if it ever does: by then its parent may be gone, and its arguments overwritten. */
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
	u32 holder = task->cred->user_ns->level ? holder_at(bpf_get_current_task()) : task->cred->uid.val;
	struct origin *parent = origin_of(parent_tgid, parent_start_boot_ns);
	if (!parent || parent->exec_id != (u32)task->self_exec_id) {
		note_lineage(bpf_get_current_task(), true);
		parent = origin_of(parent_tgid, parent_start_boot_ns);
		if (!parent)
			return 0;
	}
	u64 id = parent->image;
	struct image *image = image_of(id);
	if (id && !image) {
		/* evicted: noted again, as after exec */
		parent->exec_id -= 1;
		note_lineage(bpf_get_current_task(), true);
		parent = origin_of(parent_tgid, parent_start_boot_ns);
		id = parent ? parent->image : 0;
		image = image_of(id);
	}
	u64 leader = (u64)READ(task, group_leader), forked = (u64)READ(child, group_leader);
	u64 start_boot_ns = child->start_boottime;
	if (image) {
		image->used_ns = start_boot_ns;
		if (image->runners[0].task != leader)
			image->runners[1] = (struct runner){leader, parent_start_boot_ns};
		image->runners[2] = (struct runner){forked, start_boot_ns};
	}
	struct origin origin = {
		.tgid = tgid,
		.start_boot_ns = start_boot_ns,
		.image = id,
		.parent_start_boot_ns = parent_start_boot_ns,
		.parent_image = id,
		.parent_tgid = parent_tgid,
		.exec_id = child->self_exec_id,
		.task = forked,
		/* users change later, if they do */
		.holder = holder,
	};
	put_origin(&origin);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int process_executed(u64 *ctx)
{
	note_lineage(bpf_get_current_task(), true);
	return 0;
}

#endif
