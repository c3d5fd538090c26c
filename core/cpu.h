/* cpu.h - which instruction sets this machine has, without asking an operating system
 * layer L1; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_CPU_H
#define NIGHI_CPU_H
#include "base.h"

/* NIGH_CPU_* bits; NIGH_CPU_SCALAR is always among them. Takes microseconds in a virtual machine:
 * asked once a handle. */
NIGHI_FN uint32_t nighi_cpu_detect(void);

#endif
