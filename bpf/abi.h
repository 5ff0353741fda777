/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Everything that user space mirrors. A function takes it, so the compiler describes it in the object's BTF, which
 * crates/sensor/src/abi.rs compares with the Rust side member by member. The function is never called, so it is never
 * loaded.
 */
#ifndef PROCWIRE_ABI_H
#define PROCWIRE_ABI_H

#include "records.h"

enum limit {
	LIMIT_PATH_BYTES = PATH_BYTES,
	LIMIT_NAME_BYTES = NAME_BYTES,
	LIMIT_CGROUP_BYTES = CGROUP_BYTES,
	LIMIT_COMMAND_BYTES = COMMAND_BYTES,
	LIMIT_IMAGE_PATH_BYTES = IMAGE_PATH_BYTES,
	LIMIT_ANCESTORS = ANCESTORS,
	LIMIT_DNS_BYTES = DNS_BYTES,
	LIMIT_REQUESTS = REQUESTS,
};

struct abi {
	enum record_type record_type;
	enum connection_kind connection_kind;
	enum attribution attribution;
	enum initiated initiated;
	enum truncated truncated;
	enum image_state image_state;
	enum counter counter;
	enum accept_hook accept_hook;
	enum limit limit;
	struct owner owner;
	struct peer peer;
	struct ancestor ancestor;
	struct connection_record connection;
	struct close_record close;
	struct nat_record nat;
	struct claim_record claim;
	struct process_record process;
	struct image_record image;
	struct dns_record dns;
};

int describe_abi(const struct abi *abi)
{
	return 0;
}

#endif
