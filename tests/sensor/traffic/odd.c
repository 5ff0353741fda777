/* What no script can do: odd WAY PORT [COUNT]. Each connection is to 127.0.0.1:PORT; ends with 0 if all could be made. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char **arguments;
static pthread_barrier_t start;

static int connects(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[2]))};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)) ? 1 : 0;
}

static int child(void *unused)
{
	_exit(connects());
}

static void *with_others(void *unused)
{
	pthread_barrier_wait(&start);
	return (void *)(long)connects();
}

static void *executes(void *unused)
{
	execl("/proc/self/exe", "odd", "plain", arguments[2], NULL);
	_exit(1);
}

/* Of this thread only: the C library's call would change all of them. */
static void *as_nobody(void *uid)
{
	return (void *)(syscall(SYS_setresuid, uid, uid, uid) || connects());
}

static int ended(pid_t process)
{
	int status = 1;
	return process < 0 || waitpid(process, &status, 0) != process || status;
}

static int in_threads(int count, void *(*work)(void *), void *argument)
{
	pthread_t *threads = calloc(count, sizeof(*threads));
	pthread_attr_t attributes;
	void *failed;
	int sum = 0;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	pthread_barrier_init(&start, NULL, count);
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, work, argument))
			_exit(1);
	for (int i = 0; i < count; i++) {
		pthread_join(threads[i], &failed);
		sum += failed != NULL;
	}
	return sum != 0;
}

int main(int count, char **values)
{
	arguments = values;
	if (count < 3)
		return 2;
	const char *way = values[1];
	if (!strcmp(way, "plain"))
		return connects();
	if (!strcmp(way, "vfork")) {
		pid_t process = vfork();
		if (!process)
			_exit(connects());
		return ended(process);
	}
	if (!strcmp(way, "shared-memory")) {
		char *stack = malloc(1 << 16);
		return ended(clone(child, stack + (1 << 16), CLONE_VM | CLONE_FILES | SIGCHLD, NULL));
	}
	if (!strcmp(way, "thread-exec"))
		return in_threads(1, executes, NULL);
	if (!strcmp(way, "threads"))
		return in_threads(atoi(values[3]), with_others, NULL);
	if (!strcmp(way, "thread-user"))
		return in_threads(1, as_nobody, (void *)atol(values[3])) || connects();
	return 2;
}
