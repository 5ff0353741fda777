/*
 * What a machine does besides opening connections, for the benchmark of `procwire record`: who pays for a sensor?
 *
 *     bystanders WORKLOAD SECONDS
 *
 * One process does nothing but the operation of WORKLOAD, both ends of it where there are two, for SECONDS:
 *
 *     getppid    a system call that does nothing
 *     pread      1 byte of a file in memory
 *     fork       fork, exit, wait
 *     pingpong   64 bytes there and back over TCP
 *     stream     1,000 bytes over TCP, a packet each; 32 writes, then what came is read
 *     bulk       64 KB over TCP
 *     datagram   1,200 bytes over UDP, one way, to an address
 *     udpflow    64 bytes there and back over UDP, both sockets connected
 *
 * Prints one line of JSON: how many there were, in how many seconds, with how much CPU time. The CPU time is the
 * process's own and its children's, to the nanosecond. On loopback it holds the kernel's work for both ends: packets
 * are delivered within the call that sends them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 64, WRITE = 1000, WRITES = 32, BULK = 64 << 10, DATAGRAM = 1200 };

static char buffer[BULK];
static int file, near, far;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct rusage ended;
	getrusage(RUSAGE_CHILDREN, &ended);
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID) + ended.ru_utime.tv_sec + ended.ru_stime.tv_sec +
	       (ended.ru_utime.tv_usec + ended.ru_stime.tv_usec) / 1e6;
}

static struct sockaddr_in address_of(int socket)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	if (getsockname(socket, (void *)&address, &size))
		die("getsockname");
	return address;
}

static int bound(int kind)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int made = socket(AF_INET, kind, 0);
	if (made < 0 || bind(made, (void *)&address, sizeof(address)))
		die("bind");
	return made;
}

static void join(int from, int to)
{
	struct sockaddr_in address = address_of(to);
	if (connect(from, (void *)&address, sizeof(address)))
		die("connect");
}

static void open_tcp(void)
{
	int listener = bound(SOCK_STREAM), on = 1;
	if (listen(listener, 1))
		die("listen");
	near = bound(SOCK_STREAM);
	join(near, listener);
	far = accept(listener, NULL, NULL);
	if (far < 0)
		die("accept");
	setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void open_udp(void)
{
	near = bound(SOCK_DGRAM);
	far = bound(SOCK_DGRAM);
}

static void open_udp_flow(void)
{
	open_udp();
	join(near, far);
	join(far, near);
}

static void open_file(void)
{
	file = memfd_create("bystander", 0);
	if (file < 0 || write(file, buffer, 4096) != 4096)
		die("memfd");
}

static void nothing(void)
{
}

static void send_all(int socket, size_t size)
{
	if (send(socket, buffer, size, 0) != (ssize_t)size)
		die("send");
}

static void receive_all(int socket, size_t size)
{
	while (size) {
		ssize_t got = recv(socket, buffer, size < BULK ? size : BULK, 0);
		if (got <= 0)
			die("recv");
		size -= got;
	}
}

static void call(void)
{
	getppid();
}

static void read_byte(void)
{
	if (pread(file, buffer, 1, 0) != 1)
		die("pread");
}

static void child(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("fork");
}

static void there_and_back(void)
{
	send_all(near, SMALL);
	receive_all(far, SMALL);
	send_all(far, SMALL);
	receive_all(near, SMALL);
}

static void write_some(void)
{
	static int written;
	send_all(near, WRITE);
	if (++written == WRITES) {
		receive_all(far, WRITES * WRITE);
		written = 0;
	}
}

/* As much as fits: this process is also the one that reads, so that it must not wait. */
static void write_much(void)
{
	ssize_t sent = send(near, buffer, BULK, MSG_DONTWAIT);
	if (sent <= 0)
		die("send");
	receive_all(far, sent);
}

static void one_way(void)
{
	static struct sockaddr_in address;
	if (!address.sin_port)
		address = address_of(far);
	if (sendto(near, buffer, DATAGRAM, 0, (void *)&address, sizeof(address)) != DATAGRAM)
		die("sendto");
	receive_all(far, DATAGRAM);
}

static const struct workload {
	const char *name;
	void (*prepare)(void), (*once)(void);
	/* Operations between two looks at the clock. */
	int together;
} workloads[] = {
	{"getppid", nothing, call, 1000},
	{"pread", open_file, read_byte, 500},
	{"fork", nothing, child, 1},
	{"pingpong", open_tcp, there_and_back, 32},
	{"stream", open_tcp, write_some, WRITES},
	{"bulk", open_tcp, write_much, 8},
	{"datagram", open_udp, one_way, 32},
	{"udpflow", open_udp_flow, there_and_back, 32},
};

int main(int argc, char **argv)
{
	const struct workload *found = NULL;
	for (size_t i = 0; argc == 3 && i < sizeof(workloads) / sizeof(*workloads); i++)
		if (!strcmp(argv[1], workloads[i].name))
			found = workloads + i;
	if (!found) {
		fputs("usage: bystanders WORKLOAD SECONDS\n", stderr);
		return 2;
	}
	found->prepare();
	for (int i = 0; i < found->together; i++)
		found->once();
	unsigned long made = 0;
	double start_s = seconds_of(CLOCK_MONOTONIC), before_s = cpu_s(), at_s = start_s, end_s = start_s + atof(argv[2]);
	for (; at_s < end_s; made += found->together, at_s = seconds_of(CLOCK_MONOTONIC))
		for (int i = 0; i < found->together; i++)
			found->once();
	printf("{\"made\": %lu, \"failed\": 0, \"seconds\": %.6f, \"cpu_s\": %.9f, \"pids\": [%d]}\n", made, at_s - start_s,
	       cpu_s() - before_s, getpid());
	return 0;
}
