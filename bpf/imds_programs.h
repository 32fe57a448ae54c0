/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the ancestors of callers run. The arguments of another process cannot be read at the
 * moment of a call, and after it the process may be gone. So they are kept when it forks,
 * from its own memory: whoever is an ancestor has forked. An exec replaces what is kept.
 * The first call by a descendant hands them to user space, ahead of the call itself.
 *
 * Nothing here has to be quick, and a process that never forks costs nothing.
 */
#ifndef IMDS_PROGRAMS_H
#define IMDS_PROGRAMS_H

#include "imds_capture.h"
#include "imds_executables.h"

/*
 * Processes that have forked lately; 8 MB. One that is dropped for others is kept anew when
 * it forks again.
 */
#define IMDS_PROGRAMS_MAX 4096
/* User space forgets, too: tell again after so long. */
#define IMDS_TELL_AGAIN_NS (30ull * 1000 * 1000 * 1000)
#define IMDS_PROGRAM_OFFSET_MASK 0x7ff

struct imds_program {
	unsigned long long told_ns; /* when user space was told; 0: never */
	/* IMDS_KIND_PROGRAM: the process is its caller, without ancestors and payload. */
	struct imds_event event;
	/* Arguments and names, then event.boottime_ns again: a copy that was not torn has both. */
	unsigned char rest[IMDS_ARGS_MAX + IMDS_EXECUTABLE_MAX +
			   sizeof(((struct imds_event *)0)->boottime_ns)];
};

/* Where one is put together, with the slack that the verifier asks for. */
struct imds_program_scratch {
	struct imds_program program;
	unsigned char slack[IMDS_PROGRAM_OFFSET_MASK + 1];
};

enum imds_program_slot {
	IMDS_PROGRAM_FORK,
	IMDS_PROGRAM_EXEC,
	IMDS_PROGRAM_SLOTS,
};

static struct imds_program_scratch *imds_program_scratch(enum imds_program_slot slot);
static struct imds_program *imds_program_of(unsigned int pid);
static void imds_set_program(unsigned int pid, const struct imds_program *program);

static __always_inline unsigned long long imds_program_offset(unsigned long long offset)
{
	OPAQUE(offset);
	return offset & IMDS_PROGRAM_OFFSET_MASK;
}

/* Keep what the current process runs. */
static __always_inline void imds_keep_program(const struct task_struct *task,
					      enum imds_program_slot slot)
{
	struct imds_program_scratch *scratch = imds_program_scratch(slot);
	struct imds_program *program;
	struct imds_event *event;
	unsigned long long end;

	if (!scratch)
		return;
	program = &scratch->program;
	event = &program->event;
	program->told_ns = 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->kind = IMDS_KIND_PROGRAM;
	event->boottime_ns = bpf_ktime_get_boot_ns();
	imds_read_process(&event->caller, READ(task, group_leader), READ(task, mm));
	event->mount_namespace = imds_mount_namespace(READ(task, nsproxy));
	if (imds_is_replaced(READ(task, mm)))
		event->flags |= IMDS_FLAG_EXECUTABLE_REPLACED;
	end = imds_read_args(event, program->rest, task);
	event->executable_captured =
	    imds_read_executable(event, program->rest + imds_program_offset(end), task);
	end += event->executable_captured;
	event->event_size = sizeof(*event) + end;
	__builtin_memcpy(program->rest + imds_program_offset(end), &event->boottime_ns,
			 sizeof(event->boottime_ns));
	imds_set_program(event->caller.pid, program);
}

/* Is this what a process runs? Not another one with its number, nor what it ran before. */
static __always_inline int imds_is_program(const struct imds_program *program,
					   unsigned long long start_boottime_ns,
					   unsigned int exec_id)
{
	return program->event.caller.start_boottime_ns == start_boottime_ns &&
	       program->event.caller.exec_id == exec_id;
}

/* A process, the current one, has a child. */
static __always_inline int imds_forked(const struct task_struct *parent,
				       const struct task_struct *child)
{
	const struct task_struct *leader;
	const struct imds_program *known;
	unsigned int pid = READ(parent, tgid);

	if (READ(child, tgid) == pid) /* a thread */
		return 0;
	imds_inherit_replaced(parent, child);
	leader = READ(parent, group_leader);
	known = imds_program_of(pid);
	if (known && known->event.args_captured &&
	    imds_is_program(known, imds_start_boottime(leader), READ(leader, self_exec_id)))
		return 0;
	if (READ(parent, mm)) /* no kernel thread */
		imds_keep_program(parent, IMDS_PROGRAM_FORK);
	return 0;
}

/* The current process runs another program. Of interest where it has children already. */
static __always_inline int imds_executed(const struct task_struct *task)
{
	const struct imds_program *former = imds_program_of(READ(task, tgid));

	imds_renew_executable(task);
	if (former &&
	    former->event.caller.start_boottime_ns == imds_start_boottime(READ(task, group_leader)))
		imds_keep_program(task, IMDS_PROGRAM_EXEC);
	return 0;
}

static __always_inline void imds_tell_program(const struct imds_process *process,
					      unsigned long long now_ns)
{
	struct imds_program *program = imds_program_of(process->pid);
	unsigned long long size;

	if (!program || !imds_is_program(program, process->start_boottime_ns, process->exec_id) ||
	    (program->told_ns && now_ns - program->told_ns < IMDS_TELL_AGAIN_NS))
		return;
	size = program->event.event_size + sizeof(program->event.boottime_ns);
	OPAQUE(size);
	if (size > sizeof(*program) - sizeof(program->told_ns))
		return;
	if (imds_submit(&program->event, size) < 0)
		imds_count(IMDS_COUNTER_LOST_SENDERS);
	else
		program->told_ns = now_ns;
}

static __always_inline void imds_tell_programs(const struct imds_event *event,
					       const struct imds_process *ancestors)
{
	for (int i = 0; i < IMDS_ANCESTORS_MAX && i < ONCE(event->ancestors_count); i++)
		imds_tell_program(&ancestors[i], event->boottime_ns);
}

#endif
