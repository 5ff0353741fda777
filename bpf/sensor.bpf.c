/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side of the recorder: which process connected, accepted, sent to or received from which peer.
 *
 * It stands on typed tracepoints (tp_btf), control group programs and one iterator, and on one fentry program where
 * the kernel takes it. None of them runs at every system call, or at every TCP send and receive.
 * inet_sock_set_state and one of three hooks of accept() report TCP. The datagrams themselves report UDP, at
 * the root of cgroup v2, so that addresses are those on the wire. Whose a socket is, is stored with the socket: in a slot of
 * its own for TCP, in the socket's storage for UDP. Programs of control groups only observe: every path returns ALLOW.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ALLOW 1

/* Settings, written by the loader before the program is loaded. */
const volatile u64 udp_idle_ns = 30ULL * 60 * 1000 * 1000 * 1000;
const volatile u8 want_attempts = 0;
const volatile u8 want_closes = 0;
const volatile u8 want_existing = 0;
const volatile u8 want_udp = 1;
/* UDP and DNS are seen by the programs of packets: not by direct.h, and not by none */
const volatile u8 want_packets = 1;
/* a second program sees the changes of state that the first misses: where they must be exact, or no packet is seen */
const volatile u8 want_again = 0;
/* a secret, so that nobody can choose on which shelf flows stand */
const volatile u64 flow_seed = 0;
/* one less than the slots for TCP sockets, a power of two */
const volatile u32 tcps_mask = 65535;
enum accept_hook { ACCEPT_GRAFT = 1, ACCEPT_GETPEERNAME, ACCEPT_SYSCALLS };
const volatile u8 accept_hook = ACCEPT_GETPEERNAME;

/* In the order of an event: whose it is, what it is. They use the settings above. */
#include "process.h"
#include "connection.h"
#include "accept.h"
#include "udp.h"
#include "direct.h"
#include "existing.h"
#include "abi.h"
