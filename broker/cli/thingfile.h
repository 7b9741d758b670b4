/* thingfile.h - a file of things: CSV, JSON or GeoJSON, made into entries of the register. */
#ifndef CLI_THINGFILE_H
#define CLI_THINGFILE_H

#include "cli/cli.h"

#include <jansson.h>

/* One thing of the file. id: NULL when it names none; place: "line 3", "feature 2", valid during
 * the call. entry is borrowed. A non-zero return ends the walk. */
typedef int (*thingfile_fn)(void *arg, const char *place, const char *id, json_t *entry);

/* Walks over text. What a line has wrong in itself (a number that is none, a column that does not
 * exist) is put into entry as it stands, so that the check of the entry names it. 0, what each
 * returned, or CLI_TROUBLE after a line on stderr. */
int thingfile_each(const struct cli *c, const char *path, struct span text, thingfile_fn each,
                   void *arg) MUSTCHECK;

/* Sets the member at a path of the table of entries, such as owner.name, themes or devices.id, from
 * text: numbers, true/false and lists ('|' between) as the table wants them. false: no such path.
 */
bool thingfile_set(json_t *entry, const char *path, const char *text);

#endif
