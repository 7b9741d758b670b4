/* frames.c - knows no device; does find its decoder, give it bytes and take members. */
#include "host/frames.h"

#include "base/limits.h"
#include "base/mem.h"
#include "host/config.h"
#include "host/program.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct frames {
	const struct connector_conf *conf;
	struct program *programs; /* one per file */
	size_t n_programs;
	size_t *program_of; /* by rule */
};

static const char *file_of(const struct frames *f, size_t program)
{
	size_t i = 0;
	while (f->program_of[i] != program)
		i++;
	return f->conf->device_decoders[i].file;
}

static int compile(struct program *p, const char *file, const char *lib_dir, FILE *complaints)
{
	auto_free char *text = program_read(file);
	if (!text) {
		fprintf(complaints, "%s: cannot be read\n", file);
		return -1;
	}
	return program_init(p, file, text, lib_dir, jv_object(), complaints);
}

static jv input_of(const struct frames *f, size_t rule, jv bytes, jv port)
{
	jv input = jv_object_set(jv_object(), jv_string("bytes"), bytes);
	input = jv_object_set(input, jv_string("port"), port);
	return jv_object_set(input, jv_string("argument"),
	                     jv_string(f->conf->device_decoders[rule].argument));
}

/* A model that it does not know, or numbers of the device that are missing, are not left to the
 * first frame. */
static int check_argument(struct frames *f, size_t rule, FILE *complaints)
{
	static const char words[] = "the argument must";
	const struct device_decoder *d = &f->conf->device_decoders[rule];
	struct program *p = &f->programs[f->program_of[rule]];
	program_start(p, input_of(f, rule, jv_array(), jv_null()));
	jv v = program_next(p);
	if (jv_is_valid(v)) {
		jv_free(v);
		return 0;
	}
	if (program_end(p, v) == 0 || strncmp(p->error, words, strlen(words)) != 0)
		return 0; /* about the frame, which is none */
	fprintf(complaints, "connector \"%s\": device-decoders \"%s=...\": %s: %s\n", f->conf->name,
	        d->pattern, d->file, p->error);
	return -1;
}

struct frames *frames_new(const struct connector_conf *k, const char *lib_dir, FILE *complaints)
{
	struct frames *f = xcalloc(1, sizeof(*f));
	f->conf = k;
	f->programs = xcalloc(k->n_device_decoders + 1, sizeof(*f->programs));
	f->program_of = xcalloc(k->n_device_decoders + 1, sizeof(*f->program_of));
	for (size_t i = 0; i < k->n_device_decoders; i++) {
		const char *file = k->device_decoders[i].file;
		size_t same = 0;
		while (same < i && strcmp(k->device_decoders[same].file, file) != 0)
			same++;
		f->program_of[i] = same < i ? f->program_of[same] : f->n_programs;
		if ((same == i &&
		     compile(&f->programs[f->n_programs++], file, lib_dir, complaints) < 0) ||
		    check_argument(f, i, complaints) < 0) {
			frames_free(f);
			return NULL;
		}
	}
	return f;
}

void frames_free(struct frames *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_programs; i++)
		program_done(&f->programs[i]);
	free(f->programs);
	free(f->program_of);
	free(f);
}

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

jv frames_bytes(const char *text, size_t n, bool hex)
{
	unsigned bits = hex ? 4 : 6, kept = 0, have = 0;
	jv out = jv_array();
	while (!hex && n > 0 && text[n - 1] == '=')
		n--;
	if (n * bits / 8 > LIMIT_CONNECT_FRAME_BYTES || (hex ? n % 2 != 0 : n % 4 == 1)) {
		jv_free(out);
		return jv_invalid();
	}
	for (size_t i = 0; i < n; i++) {
		int v = hex ? nibble(text[i]) : sextet(text[i]);
		if (v < 0) {
			jv_free(out);
			return jv_invalid();
		}
		kept = (kept << bits | (unsigned)v) & 0xFFFF;
		have += bits;
		if (have >= 8) {
			have -= 8;
			out = jv_array_append(out, jv_number(kept >> have & 0xFF));
		}
	}
	return out;
}

/* The first rule whose pattern fits one of the names; -1: none. */
static int rule_for(const struct frames *f, jv names)
{
	int found = -1;
	if (jv_get_kind(names) != JV_KIND_ARRAY) {
		jv_free(names);
		return -1;
	}
	int n = jv_array_length(jv_copy(names));
	for (size_t i = 0; found < 0 && i < f->conf->n_device_decoders; i++)
		for (int j = 0; found < 0 && j < n; j++) {
			jv name = jv_array_get(jv_copy(names), j);
			if (jv_get_kind(name) == JV_KIND_STRING &&
			    fnmatch(f->conf->device_decoders[i].pattern, jv_string_value(name),
			            FNM_CASEFOLD) == 0)
				found = (int)i;
			jv_free(name);
		}
	jv_free(names);
	return found;
}

static jv refused(const struct frames *f, size_t program, const char *why)
{
	const char *file = file_of(f, program), *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;
	return jv_object_set(
	    jv_object(), jv_string("refused"),
	    jv_string_fmt("the decoder %.*s: %s", (int)strcspn(name, "."), name, why));
}

static jv run(struct frames *f, size_t program, jv input)
{
	struct program *p = &f->programs[program];
	program_start(p, input);
	jv v = program_next(p);
	if (jv_get_kind(v) == JV_KIND_OBJECT)
		return jv_object_set(jv_object(), jv_string("members"), v);
	if (jv_is_valid(v)) {
		jv_free(v);
		return refused(f, program, "it does not know this frame");
	}
	return refused(f, program,
	               program_end(p, v) < 0 ? p->error : "it does not know this frame");
}

jv frames_decode(struct frames *f, jv question)
{
	bool hex = jv_object_has(jv_copy(question), jv_string("hex"));
	jv text = jv_object_get(jv_copy(question), jv_string(hex ? "hex" : "base64"));
	jv port = jv_object_get(jv_copy(question), jv_string("port"));
	int rule = rule_for(f, jv_object_get(question, jv_string("names")));
	jv answer = jv_null(), bytes = jv_invalid();
	if (rule < 0)
		goto out;
	if (jv_get_kind(text) == JV_KIND_STRING)
		bytes = frames_bytes(jv_string_value(text),
		                     (size_t)jv_string_length_bytes(jv_copy(text)), hex);
	if (!jv_is_valid(bytes)) {
		answer = refused(f, f->program_of[rule],
		                 hex ? "the frame is not hexadecimal, or too long"
		                     : "the frame is not base64, or too long");
		goto out;
	}
	answer = run(f, f->program_of[rule],
	             input_of(f, (size_t)rule, bytes,
	                      jv_get_kind(port) == JV_KIND_NUMBER ? jv_copy(port) : jv_null()));
	bytes = jv_invalid();
out:
	jv_free(bytes);
	jv_free(port);
	jv_free(text);
	return answer;
}
