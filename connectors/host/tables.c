/* tables.c - does not know what is looked up; does read files of messages into objects. */
#include "host/tables.h"

#include "base/limits.h"
#include "base/mem.h"
#include "host/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Adds one line to the table, which it takes over; invalid when it is no message. */
static jv add_line(jv table, const char *line, size_t n)
{
	jv message = jv_parse_sized(line, (int)n);
	if (jv_get_kind(message) != JV_KIND_OBJECT) {
		jv_free(message);
		jv_free(table);
		return jv_invalid();
	}
	jv topic = jv_object_get(jv_copy(message), jv_string("topic"));
	jv payload = jv_object_get(message, jv_string("payload"));
	if (jv_get_kind(topic) != JV_KIND_STRING || !jv_is_valid(payload)) {
		jv_free(payload);
		jv_free(table);
		table = jv_invalid();
	} else {
		const char *s = jv_string_value(topic), *slash = strrchr(s, '/');
		table = jv_object_set(table, jv_string(slash ? slash + 1 : s), payload);
	}
	jv_free(topic);
	return table;
}

static jv load_file(const char *path, FILE *complaints)
{
	auto_free char *line = NULL;
	size_t size = 0, total = 0;
	ssize_t n;
	FILE *f = fopen(path, "re");
	if (!f) {
		fprintf(complaints, "%s: %s\n", path, strerror(errno));
		return jv_invalid();
	}
	jv table = jv_object();
	for (int at = 1; jv_is_valid(table) && (n = getline(&line, &size, f)) > 0; at++) {
		total += (size_t)n;
		if (total > LIMIT_CONNECT_TABLE_BYTES) {
			fprintf(complaints, "%s: a table is at most %d MB\n", path,
			        LIMIT_CONNECT_TABLE_BYTES >> 20);
			jv_free(table);
			table = jv_invalid();
		} else if (line[strspn(line, " \t\r\n")] != '\0') {
			table = add_line(table, line, (size_t)n);
			if (!jv_is_valid(table))
				fprintf(complaints,
				        "%s:%d: not a message as oudp-connect --filter prints it\n",
				        path, at);
		}
	}
	fclose(f);
	return table;
}

jv tables_load(const struct connector_conf *k, FILE *complaints)
{
	jv all = jv_object();
	for (size_t i = 0; i < k->n_tables && jv_is_valid(all); i++) {
		const char *eq = strchr(k->tables[i], '=');
		jv table = load_file(eq + 1, complaints);
		if (!jv_is_valid(table)) {
			jv_free(all);
			return table;
		}
		all = jv_object_set(all, jv_string_sized(k->tables[i], (int)(eq - k->tables[i])),
		                    table);
	}
	return all;
}
