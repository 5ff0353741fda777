/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether the kernel takes fexit programs: checked first, since loading everything to find out takes a tenth of a second. */
#include "kernel.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("fexit/inet_csk_accept")
int probe(u64 *ctx)
{
	return 0;
}
