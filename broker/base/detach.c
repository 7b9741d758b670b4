/* detach.c - pipe, fork, setsid. */
#include "base/detach.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int detach(void)
{
	int fds[2];
	if (pipe(fds))
		fatal("pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid < 0)
		fatal("fork: %s", strerror(errno));
	if (pid > 0) {
		char c;
		close(fds[1]);
		_exit(read(fds[0], &c, 1) == 1 ? 0 : 1);
	}
	close(fds[0]);
	setsid();
	return fds[1];
}
