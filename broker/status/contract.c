/* contract.c - what a feed promises and asks, as a reader of /v1/feeds sees it: the words of its
 * block of the configuration. The steps of privacy are not shown: they name what was taken out. */
#include "status/private.h"
#include "json/write.h"

static void text(struct buf *b, const char *name, const char *value)
{
	json_write_name(b, name);
	if (value && *value)
		json_write_string(b, span_str(value));
	else
		buf_add_str(b, "null");
}

static void word(struct buf *b, const char *name, const char *option, int value)
{
	buf_addf(b, ",\"%s\":\"%s\"", name, config_feed_word(option, value));
}

/* 0 stands for "no bound" and "not stated". */
static void count(struct buf *b, const char *name, uint64_t value)
{
	if (value)
		buf_addf(b, ",\"%s\":%llu", name, (unsigned long long)value);
	else
		buf_addf(b, ",\"%s\":null", name);
}

static void truth(struct buf *b, const char *name, bool value)
{
	buf_addf(b, ",\"%s\":%s", name, value ? "true" : "false");
}

void status_write_contract(const struct config_feed *f, struct buf *b)
{
	text(b, "description", f->description);
	word(b, "decode", "decode", f->decode);
	truth(b, "draft", f->draft);
	word(b, "duplicates", "duplicates", f->duplicates);
	word(b, "badTime", "bad-time", f->bad_time);
	count(b, "maxFutureSeconds", f->max_future_s);
	count(b, "maxAgeSeconds", f->max_age_s);
	count(b, "cadenceSeconds", f->cadence_s);
	count(b, "stuckAfterSeconds", f->stuck_after_s);
	count(b, "maxSkewSeconds", f->max_skew_s);
	count(b, "keepMessagesSeconds", f->keep_messages_s);
	count(b, "keepMessagesMaxBytes", f->keep_messages_max_bytes);
	count(b, "keepSeriesSeconds", f->keep_series_s);
	text(b, "licence", f->licence);
	text(b, "contact", f->contact);
	text(b, "theme", f->theme);
	text(b, "purpose", f->purpose);
	text(b, "legalGround", f->legal_ground);
	truth(b, "personalData", f->personal_data);
	text(b, "dpia", f->dpia);
	word(b, "registration", "registration", f->registration);
}
