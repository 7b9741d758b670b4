/* rebuild.c - `oudp rebuild`: asks the daemon to put back into the time series what the journal
 * has, and looks on. */
#include "cli/bar.h"
#include "cli/http.h"

#include <stdio.h>
#include <unistd.h>

enum { LOOK_US = 200000 };
static const char path[] = "/v1/series/_rebuild";

static void print_end(const struct cli *c, json_t *state)
{
	if (c->json) {
		cli_print_json(json_incref(state));
		return;
	}
	printf("rebuilt: %llu records read, %llu observations compared, %llu put back\n",
	       (unsigned long long)reply_count(state, "records"),
	       (unsigned long long)reply_count(state, "observations"),
	       (unsigned long long)reply_count(state, "restored"));
	if (reply_count(state, "places"))
		printf("%llu places of things put back\n",
		       (unsigned long long)reply_count(state, "places"));
	if (reply_count(state, "replaced"))
		printf("%llu pieces that could not be read were replaced\n",
		       (unsigned long long)reply_count(state, "replaced"));
	if (reply_count(state, "unreadable"))
		printf("%llu pieces cannot be read and are older than the journal: a backup may "
		       "have them\n",
		       (unsigned long long)reply_count(state, "unreadable"));
}

static void draw(const json_t *state)
{
	double of = (double)reply_count(state, "of");
	bar_draw(of > 0 ? (double)reply_count(state, "records") / of : 0,
	         "%llu records, %llu put back", (unsigned long long)reply_count(state, "records"),
	         (unsigned long long)reply_count(state, "restored"));
}

/* Until it has ended. 0 with the last state, which is the caller's, or CLI_TROUBLE. */
static int look_on(struct cli *c, bool bar, json_t **ret)
{
	for (;;) {
		int err = http_json(c, HTTP_ADMIN, "GET", path, NULL, ret);
		if (err || !json_is_true(json_object_get(*ret, "running")))
			return err;
		if (bar)
			draw(*ret);
		json_decref(*ret);
		if (cli_stop())
			return cli_trouble(c, "the daemon goes on; 'oudp rebuild' looks on again");
		usleep(LOOK_US);
	}
}

int cmd_rebuild(struct cli *c, int argc, char **argv)
{
	struct http_reply r = {0};
	json_t *state = NULL;
	if (cli_option(c, argc, argv, "", NULL) != CLI_END)
		return CLI_TROUBLE;
	if (argc != optind)
		return cli_usage(c, "there is nothing to name here");
	json_t *nothing = json_object();
	int err = http_ask(c, HTTP_ADMIN, "POST", path, nothing, &r);
	json_decref(nothing);
	if (!err && r.status != 202 && r.status != 409) /* 409: one is under way */
		err = http_problem(c, &r);
	http_reply_done(&r);
	if (err)
		return err;
	bool bar = bar_wanted(c);
	cli_stop_init();
	err = look_on(c, bar, &state);
	if (bar)
		bar_clear();
	if (err)
		return err;
	const char *error = reply_text(state, "error", NULL);
	if (error)
		err = cli_trouble(c, "the series could not be rebuilt to the end: %s", error);
	else
		print_end(c, state);
	bool all = !reply_count(state, "unreadable");
	json_decref(state);
	return err ? err : all ? CLI_OK : CLI_NO;
}
