/* merge.c - see merge.h. */
#include "sta/merge.h"

/* Depth is bounded by what jansson reads. */
json_t *sta_merge(json_t *target, const json_t *patch)
{
	const char *name;
	json_t *value;
	if (!json_is_object(patch)) {
		json_decref(target);
		return json_deep_copy(patch);
	}
	if (!json_is_object(target)) {
		json_decref(target);
		target = json_object();
	}
	json_object_foreach((json_t *)patch, name, value)
	{
		if (json_is_null(value))
			json_object_del(target, name);
		else
			json_object_set_new(
			    target, name,
			    sta_merge(json_incref(json_object_get(target, name)), value));
	}
	return target;
}
