/* zephyr_kernel.h - as much of Zephyr's as a sample of nigh's needs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_KERNEL_H
#define NIGH_TEST_KERNEL_H
#include <stddef.h>
#include <stdint.h>

#include "stub_printf.h"
#define printk stub_printf
#define __aligned(bytes) __attribute__((aligned(bytes)))
#endif
