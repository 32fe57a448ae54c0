/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the calling process and its ancestors. The file that includes this one
 * brings a function:
 *
 *   imds_is_replaced(mm)   whether its executable was replaced: see imds_executables.h
 */
#ifndef IMDS_CALLERS_H
#define IMDS_CALLERS_H

#include "imds_event.h"
#include "kernel_drift.h"

static int imds_is_replaced(const struct mm_struct *mm);

static __always_inline void imds_read_process(struct imds_process *process,
					      const struct task_struct *leader,
					      const struct mm_struct *mm)
{
	const struct cred *cred = READ(leader, cred);
	const struct file *executable;
	const struct inode *inode;
	const struct super_block *super;

	process->start_boottime_ns = imds_start_boottime(leader);
	process->pid = READ(leader, tgid);
	process->uid = READ(cred, euid.val);
	bpf_probe_read_kernel(process->comm, sizeof(process->comm), RELOCATED(&leader->comm));
	process->exec_id = READ(leader, self_exec_id);
	/* What is read through a pointer that is NULL is 0. */
	process->args_address = READ(mm, arg_start);
	executable = READ(mm, exe_file);
	inode = READ(executable, f_inode);
	super = READ(inode, i_sb);
	process->executable_inode = READ(inode, i_ino);
	process->executable_device = READ(super, s_dev);
}

/*
 * Whose call this is. Before 5.12 io_uring let kernel threads do what cannot be
 * done at once; such a thread borrows the memory of the process it works for.
 */
static __always_inline const struct task_struct *imds_caller(void)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct mm_struct *mm;
	const struct task_struct *owner;

	if (!(READ(task, flags) & PF_KTHREAD))
		return task;
	mm = READ(task, mm);
	owner = mm ? imds_mm_owner(mm) : 0;
	return owner ? owner : task;
}

/* The process that forked this one: real_parent may be one of its threads. */
static __always_inline const struct task_struct *imds_parent(const struct task_struct *leader)
{
	const struct task_struct *parent = READ(leader, real_parent);

	return READ(parent, group_leader);
}

/* The caller, and its ancestors into an array of IMDS_ANCESTORS_MAX. */
static __always_inline void imds_read_callers(struct imds_event *event,
					      struct imds_process *ancestors,
					      const struct task_struct *task)
{
	const struct task_struct *leader = READ(task, group_leader);
	const struct nsproxy *namespaces = READ(task, nsproxy);

	/* A leader that has ended, while other threads go on, has no memory any more. */
	imds_read_process(&event->caller, leader, READ(task, mm));
	if (imds_is_replaced(READ(task, mm)))
		event->flags |= IMDS_FLAG_EXECUTABLE_REPLACED;
	event->tid = READ(task, pid);
	event->mount_namespace = imds_mount_namespace(namespaces);
	leader = imds_parent(leader);
	/* pid 0 is the idle task, the parent of pid 1. */
	for (int i = 0; i < IMDS_ANCESTORS_MAX && READ(leader, tgid) != 0; i++) {
		imds_read_process(&ancestors[i], leader, READ(leader, mm));
		ONCE(event->ancestors_count) = i + 1;
		leader = imds_parent(leader);
	}
	if (READ(leader, tgid) != 0)
		event->flags |= IMDS_FLAG_ANCESTORS_TRUNCATED;
}

/*
 * The caller's argument vector, out of its own memory while it is alive: up to IMDS_ARGS_MAX
 * bytes. Returns how many there are.
 */
static __always_inline unsigned long long
imds_read_args(struct imds_event *event, unsigned char *args, const struct task_struct *task)
{
	const struct mm_struct *mm = READ(task, mm);
	unsigned long start, size;

	if (!mm) /* a kernel thread */
		return 0;
	start = READ(mm, arg_start);
	size = READ(mm, arg_end) - start;
	if (size > IMDS_ARGS_MAX) {
		event->flags |= IMDS_FLAG_ARGS_TRUNCATED;
		size = IMDS_ARGS_MAX;
	}
	if (bpf_probe_read_user(args, size, (const void *)start))
		return 0;
	event->args_captured = size;
	return size;
}

/*
 * The path of the executable, from its last name up to the root of the caller's mounts, each
 * with a NUL behind it: the kernel's own function for it may not be called here. Returns how
 * many bytes there are; 0 where it is too long.
 */
#ifdef IMDS_BCC
/* No header tells where a mount is mounted: /proc is asked for the path. */
static __always_inline unsigned long long
imds_read_executable(struct imds_event *event, unsigned char *names, const struct task_struct *task)
{
	return 0;
}
#else
static __always_inline unsigned long long
imds_read_executable(struct imds_event *event, unsigned char *names, const struct task_struct *task)
{
	const struct mm_struct *mm = READ(task, mm);
	const struct file *file = READ(mm, exe_file);
	const struct dentry *dentry = READ(file, f_path.dentry);
	const struct vfsmount *mount = READ(file, f_path.mnt);
	unsigned long long end = 0;

	for (int i = 0; file && i < IMDS_EXECUTABLE_DEPTH; i++) {
		const struct dentry *parent = READ(dentry, d_parent);
		long size;

		if (dentry == READ(mount, mnt_root)) {
			const struct vfsmount *upper = imds_upper_mount(mount);

			if (upper == mount)
				return end;
			dentry = imds_mountpoint(mount);
			mount = upper;
			continue;
		}
		OPAQUE(end);
		if (end > IMDS_EXECUTABLE_MAX - IMDS_NAME_MAX)
			break;
		size = bpf_probe_read_kernel_str(names + end, IMDS_NAME_MAX,
						 READ(dentry, d_name.name));
		if (size <= 0)
			break;
		end += size;
		if (parent == dentry) /* is mounted nowhere, such as a memfd */
			return end;
		dentry = parent;
	}
	if (file)
		event->flags |= IMDS_FLAG_EXECUTABLE_TRUNCATED;
	return 0;
}
#endif

#endif
