/* replay.c - runs a fuzz target over the files and folders (to any depth) named on the command
 * line, so that what the fuzzer once found stays found without a fuzzer. Prints how many files it
 * ran; fails when a path is missing, or when there was no file at all. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long files;

static int complain(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	return 1;
}

static int run_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return complain(path);
	/* of the exact size: a sanitizer sees a step over the end */
	uint8_t *data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, f) != size) {
		complain(path);
		fclose(f);
		free(data);
		return 1;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	files++;
	return 0;
}

static int run_path(const char *path);

static int run_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), bad = 0;
	if (n < 0)
		return complain(path);
	for (int i = 0; i < n; i++) {
		char *inner = NULL;
		if (names[i]->d_name[0] != '.') {
			if (asprintf(&inner, "%s/%s", path, names[i]->d_name) < 0)
				abort();
			bad |= run_path(inner);
		}
		free(inner);
		free(names[i]);
	}
	free(names);
	return bad;
}

static int run_path(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return complain(path);
	return S_ISDIR(st.st_mode) ? run_folder(path) : run_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	int bad = 0;
	for (int i = 1; i < argc; i++)
		bad |= run_path(argv[i]);
	printf("%lu files\n", files);
	return bad || files == 0;
}
