/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which path a cgroup has. An event names the caller's by its id. A service manager removes a
 * container's cgroup as soon as it is empty, and then nothing leads from the id to the path. So
 * the path is told when the cgroup is made.
 */
#ifndef IMDS_CGROUPS_H
#define IMDS_CGROUPS_H

#include "imds_capture.h"

/*
 * Cgroups that are told within a second. Whoever was delegated one can make them without an end,
 * and must not fill the ring with them: of the others, calls are known by the id alone.
 */
#define IMDS_CGROUPS_A_SECOND 256

struct imds_cgroup_budget {
	unsigned long long second;
	unsigned long long told;
};

static struct imds_cgroup_budget *imds_cgroup_budget(void);
static struct imds_cgroup *imds_reserve_cgroup(void);
static void imds_submit_reserved(void *data);
static void imds_discard_reserved(void *data);

/* Two CPUs at once may tell a few more: a bound is wanted, not a number. */
static __always_inline int imds_may_tell_cgroup(unsigned long long now_ns)
{
	struct imds_cgroup_budget *budget = imds_cgroup_budget();
	unsigned long long second = now_ns / 1000000000;

	if (!budget)
		return 0;
	if (budget->second != second) {
		budget->second = second;
		budget->told = 0;
	}
	return ++budget->told <= IMDS_CGROUPS_A_SECOND;
}

/* The kernel gives the path along with the cgroup. The ids of version 1 are in no event. */
static __always_inline int imds_cgroup_made(const struct cgroup *cgroup, const char *path)
{
	const struct cgroup_root *root = READ(cgroup, root);
	const struct kernfs_node *node = READ(cgroup, kn);
	unsigned long long now_ns = bpf_ktime_get_boot_ns();
	struct imds_cgroup *made;
	long size;

	if (READ(root, hierarchy_id) || !imds_may_tell_cgroup(now_ns))
		return 0;
	made = imds_reserve_cgroup();
	if (!made) /* the ring is full; it is looked for by its id, while it is there */
		return 0;
	size = bpf_probe_read_kernel_str(made->path, sizeof(made->path), path);
	if (size <= 0 || size >= sizeof(made->path)) {
		imds_discard_reserved(made);
		return 0;
	}
	made->kind = IMDS_KIND_CGROUP;
	made->path_size = size - 1;
	made->boottime_ns = now_ns;
	made->cgroup_id = READ(node, id);
	imds_submit_reserved(made);
	return 0;
}

#endif
