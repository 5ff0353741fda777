/*
 * replaced PORT FILE: have /proc/self/exe point at FILE, as a user namespace's root may, and connect to 127.0.0.1:PORT.
 * The kernel allows it once nothing of the program itself is mapped any more: what does it runs from a page without file.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct job {
	long ranges[64][2], count;
	struct prctl_mm_map map;
	struct sockaddr_in to;
};

#if defined(__x86_64__)
static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}
#else
static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = 0;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}
#endif

/* Runs where it was copied to: it calls nothing. */
__attribute__((noinline)) static void replace(struct job *job)
{
	for (long i = 0; i < job->count; i++)
		call(SYS_munmap, job->ranges[i][0], job->ranges[i][1] - job->ranges[i][0], 0, 0);
	long failed = call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, (long)&job->map, sizeof(job->map));
	long client = call(SYS_socket, AF_INET, SOCK_STREAM, 0, 0);
	if (!failed)
		failed = call(SYS_connect, client, (long)&job->to, sizeof(job->to), 0);
	call(SYS_exit_group, failed ? 1 : 0, 0, 0, 0);
	for (;;)
		;
}

int main(int count, char **values)
{
	if (count < 3)
		return 2;
	int rights = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	struct job *job = mmap(NULL, sizeof(*job), rights, flags, -1, 0);
	char *code = mmap(NULL, 4096, rights | PROT_EXEC, flags, -1, 0);
	char path[4096] = {0}, line[8192];
	unsigned long start, end, numbers[64] = {0};
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return 3;
	memcpy(code, (void *)replace, 1024);
	__builtin___clear_cache(code, code + 1024);
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, path) && sscanf(line, "%lx-%lx", &start, &end) == 2) {
			job->ranges[job->count][0] = start;
			job->ranges[job->count++][1] = end;
		}
	}
	fclose(maps);
	FILE *stat = fopen("/proc/self/stat", "r");
	if (!fgets(line, sizeof(line), stat))
		return 3;
	fclose(stat);
	/* numbered as proc(5) has them */
	int field = 3;
	for (char *text = strtok(strrchr(line, ')') + 2, " "); text; text = strtok(NULL, " "))
		numbers[field++] = strtoul(text, NULL, 10);
	job->map = (struct prctl_mm_map){
		.start_code = numbers[26], .end_code = numbers[27], .start_stack = numbers[28],
		.start_data = numbers[45], .end_data = numbers[46], .start_brk = numbers[47], .brk = numbers[47],
		.arg_start = numbers[48], .arg_end = numbers[49], .env_start = numbers[50], .env_end = numbers[51],
		.exe_fd = open(values[2], O_RDONLY),
	};
	if (job->map.exe_fd < 0)
		return 3;
	job->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(values[1]))};
	job->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	((void (*)(struct job *))code)(job);
	return 4;
}
