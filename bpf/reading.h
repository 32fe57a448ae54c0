/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the kernel's memory is read, and how the compiler is kept from undoing what the
 * verifier needs. Whoever includes this brings the kernel's types and the helpers.
 */
#ifndef READING_H
#define READING_H

#ifdef IMDS_BCC
#define RELOCATED(expression) (expression)
#else
#define RELOCATED(expression) __builtin_preserve_access_index(expression)
#endif

/* Read a member through a pointer that the verifier knows nothing about. */
#define READ(pointer, member)                                                                      \
	({                                                                                         \
		typeof((pointer)->member) value_;                                                  \
		__builtin_memset((void *)&value_, 0, sizeof(value_));                              \
		bpf_probe_read_kernel((void *)&value_, sizeof(value_),                             \
				      (const void *)RELOCATED(&(pointer)->member));                \
		value_;                                                                            \
	})

/*
 * Keep the compiler from proving away a bound that the verifier needs to see,
 * and from reasoning with a value that the verifier should forget.
 */
#define OPAQUE(variable) asm volatile("" : "+r"(variable))
#define ONCE(lvalue) (*(volatile typeof(lvalue) *)&(lvalue))

#endif
