/*
 * A load for the benchmark of `procwire record`: connections on loopback, as fast as they go or at a rate.
 *
 *     connections tcp|udp SECONDS CORES [PER_SECOND [COUNT]]
 *
 * A process pinned to each of CORES cores does nothing but socket, connect, accept4 with the peer's address (as nginx,
 * sshd, Go and Python do), close, close (tcp; 2 events), or
 * socket, sendto, recv, close (udp; 2 events: sent and received). SECONDS or COUNT, whichever is reached first, 0 for
 * no limit; PER_SECOND and COUNT are those of all processes, 0 for as many as possible.
 *
 * Prints one line of JSON: how many there were, in how many seconds, with how much CPU time, how many calls
 * failed, and the process ids.
 *
 * The client closes with a reset (SO_LINGER 0): an orderly end would leave 40,000 sockets a second in TIME_WAIT, and
 * the ports of loopback would run out. It is also the cheapest end, so that a slow-down looks rather too big.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CORES = 64 };

/* What a process counts, on a cache line of its own. */
struct tally {
	_Alignas(64) unsigned long made, failed;
	double taken_s, cpu_s;
	pid_t pid;
};

struct end {
	int socket;
	struct sockaddr_in address;
};

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void sleep_until(double due_s)
{
	struct timespec due = {(time_t)due_s, (due_s - (time_t)due_s) * 1e9};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The end that each process has for itself, so that they share no queue. */
static struct end bound(int kind)
{
	struct end end = {socket(AF_INET, kind, 0), {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(end.address);
	if (end.socket < 0 || bind(end.socket, (void *)&end.address, size))
		die("bind");
	if (getsockname(end.socket, (void *)&end.address, &size))
		die("getsockname");
	if (kind == SOCK_STREAM && listen(end.socket, 128))
		die("listen");
	return end;
}

static int connect_accept_close(const struct end *end)
{
	static const struct linger reset = {1, 0};
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	int accepted = -1, client = socket(AF_INET, SOCK_STREAM, 0);
	if (client < 0)
		return -1;
	if (connect(client, (const void *)&end->address, sizeof(end->address)) == 0)
		accepted = accept4(end->socket, (void *)&peer, &size, SOCK_CLOEXEC);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client);
	if (accepted >= 0)
		close(accepted);
	return accepted < 0 ? -1 : 0;
}

static int send_receive_close(const struct end *end)
{
	char byte = 0;
	int client = socket(AF_INET, SOCK_DGRAM, 0);
	if (client < 0)
		return -1;
	long done = sendto(client, &byte, 1, 0, (const void *)&end->address, sizeof(end->address));
	if (done == 1)
		done = recv(end->socket, &byte, 1, 0);
	close(client);
	return done == 1 ? 0 : -1;
}

static void work(int core, int is_udp, double seconds, double per_second, unsigned long count, struct tally *tally)
{
	cpu_set_t cores;
	CPU_ZERO(&cores);
	CPU_SET(core, &cores);
	if (sched_setaffinity(0, sizeof(cores), &cores))
		die("sched_setaffinity");
	struct end end = bound(is_udp ? SOCK_DGRAM : SOCK_STREAM);
	int (*once)(const struct end *) = is_udp ? send_receive_close : connect_accept_close;
	double start_s = now_s(), at_s = start_s;
	while ((!seconds || at_s - start_s < seconds) && (!count || tally->made < count)) {
		if (per_second) {
			double due_s = start_s + tally->made / per_second;
			if (due_s > at_s)
				sleep_until(due_s);
		}
		if (once(&end) == 0)
			tally->made++;
		else if (tally->failed++ > 1000)
			die("too many failures, the last");
		at_s = now_s();
	}
	tally->taken_s = at_s - start_s;
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	tally->cpu_s = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 6 || (strcmp(argv[1], "tcp") && strcmp(argv[1], "udp"))) {
		fputs("usage: connections tcp|udp SECONDS CORES [PER_SECOND [COUNT]]\n", stderr);
		return 2;
	}
	int is_udp = argv[1][0] == 'u', cores = atoi(argv[3]);
	double seconds = atof(argv[2]), per_second = argc > 4 ? atof(argv[4]) : 0;
	unsigned long count = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
	if (cores < 1 || cores > MOST_CORES || (!seconds && !count)) {
		fputs("found neither SECONDS nor COUNT, or a wrong number of CORES\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	struct tally *tallies = mmap(NULL, cores * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		die("mmap");
	for (int core = 0; core < cores; core++) {
		pid_t pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			work(core, is_udp, seconds, per_second / cores, (count + cores - 1) / cores, tallies + core);
			_exit(0);
		}
		tallies[core].pid = pid;
	}
	struct tally all = {0};
	int failed = 0;
	for (int core = 0, status; core < cores; core++) {
		if (waitpid(tallies[core].pid, &status, 0) < 0 || status)
			failed = 1;
		all.made += tallies[core].made;
		all.failed += tallies[core].failed;
		all.taken_s += tallies[core].taken_s / cores;
		all.cpu_s += tallies[core].cpu_s;
	}
	printf("{\"made\": %lu, \"failed\": %lu, \"seconds\": %.6f, \"cpu_s\": %.6f, \"pids\": [", all.made, all.failed, all.taken_s,
	       all.cpu_s);
	for (int core = 0; core < cores; core++)
		printf("%s%d", core ? ", " : "", tallies[core].pid);
	puts("]}");
	return failed;
}
