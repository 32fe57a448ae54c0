/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes whose executable is not what they were started as. With prctl(2) a process may have
 * any file shown as its executable, if it has CAP_CHECKPOINT_RESTORE in its user namespace: in one
 * of its own, anybody has. Afterwards nothing in the kernel tells. So it is noted when it is asked
 * for, by the address of the memory that all its threads, and whoever else shares it, have.
 *
 * A child has a copy of that memory, and an exec gives up the old one. Each new one comes
 * from a fork or an exec: there, what is noted of a former one at that address ends.
 */
#ifndef IMDS_EXECUTABLES_H
#define IMDS_EXECUTABLES_H

#include "imds_capture.h"

/* Processes at a time; hardly any program but CRIU asks for it. Beyond it all are doubted. */
#define IMDS_REPLACED_MAX 8192

#define PR_SET_MM 35
#define PR_SET_MM_EXE_FILE 13
#define PR_SET_MM_MAP 14

static int imds_is_noted(unsigned long long memory);
static void imds_note_replaced(unsigned long long memory);
static void imds_forget_replaced(unsigned long long memory);
/* Whether any was noted, and whether all are doubted. */
static int imds_is_any_replaced(void);
static int imds_are_all_doubted(void);

static __always_inline int imds_is_replaced(const struct mm_struct *mm)
{
	if (!imds_is_any_replaced())
		return 0;
	return imds_are_all_doubted() || imds_is_noted((unsigned long long)mm);
}

/* The current process asks for another executable; whether it gets it does not matter. */
static __always_inline int imds_replacing(void)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();

	imds_note_replaced((unsigned long long)READ(task, mm));
	return 0;
}

static __always_inline int imds_sys_prctl(unsigned long option, unsigned long which)
{
	if (option == PR_SET_MM && (which == PR_SET_MM_EXE_FILE || which == PR_SET_MM_MAP))
		return imds_replacing();
	return 0;
}

/* A process has a child, with a copy of its memory or with the same. */
static __always_inline void imds_inherit_replaced(const struct task_struct *parent,
						  const struct task_struct *child)
{
	unsigned long long former, memory;

	if (!imds_is_any_replaced())
		return;
	former = (unsigned long long)READ(parent, mm);
	memory = (unsigned long long)READ(child, mm);
	if (former == memory)
		return;
	if (imds_is_noted(former))
		imds_note_replaced(memory);
	else
		imds_forget_replaced(memory);
}

/* The current process has new memory, and what it was started as. */
static __always_inline void imds_renew_executable(const struct task_struct *task)
{
	if (imds_is_any_replaced())
		imds_forget_replaced((unsigned long long)READ(task, mm));
}

#endif
