/*
 * Serves 127.0.0.1 and connects to it, for SECONDS: 500 new processes a second, each of which makes four connections,
 * one after the other. Prints how many connections were made. Ends with 0 if all could be made.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_PER_SECOND = 500, CONNECTIONS = 4 };

static double now_s(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int client(const struct sockaddr_in *to)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		char byte;
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (const void *)to, sizeof(*to)))
			return 1;
		/* the server closes first: its end waits, and no port of ours */
		if (read(fd, &byte, 1) != 0)
			return 1;
		close(fd);
	}
	return 0;
}

static void serve(int listener)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	for (int fd; (fd = accept(listener, (void *)&from, &size)) >= 0; size = sizeof(from))
		close(fd);
	_exit(0);
}

int main(int count, char **arguments)
{
	double seconds = count > 1 ? atof(arguments[1]) : 1, start = now_s();
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&at, sizeof(at)) || listen(listener, 4096) || getsockname(listener, (void *)&at, &size))
		return 2;
	pid_t server = fork();
	if (server == 0)
		serve(listener);
	long made = 0, failed = 0, running = 0;
	for (long next = 1; now_s() - start < seconds || running; next++) {
		int status;
		if (now_s() - start < seconds) {
			pid_t child = fork();
			if (child == 0)
				_exit(client(&at));
			failed += child < 0;
			running += child > 0;
		}
		double wait_s = start + (double)next / PROCESSES_PER_SECOND - now_s();
		if (wait_s > 0)
			poll(NULL, 0, (int)(wait_s * 1000) + 1);
		for (; waitpid(-1, &status, WNOHANG) > 0; running--, made += CONNECTIONS)
			failed += status != 0;
	}
	kill(server, 9);
	printf("%ld\n", made);
	return failed != 0;
}
