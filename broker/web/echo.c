/* echo.c - the WebSocket echo of oudpd --test-echo: whole messages, text and binary, however they
 * were cut. Control frames and the check of UTF-8 are lws's. For test suites only: a message may
 * take LIMIT_WEB_ECHO_BYTES. */
#include "web/private.h"

static int take(struct lws *wsi, struct pss *pss, const void *in, size_t len)
{
	struct buf *b = &pss->message;
	if (b->len == 0) {
		if (!buf_room(b, LWS_PRE))
			return -1;
		b->len = LWS_PRE;
		pss->message_binary = lws_frame_is_binary(wsi);
	}
	buf_add(b, in, len);
	if (b->err) {
		lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
		return -1;
	}
	if (lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi)) {
		lws_rx_flow_control(wsi, 0); /* one message at a time */
		lws_callback_on_writable(wsi);
	}
	return 0;
}

static int give(struct lws *wsi, struct pss *pss)
{
	struct buf *b = &pss->message;
	if (b->len < LWS_PRE)
		return 0;
	int n = lws_write(wsi, (unsigned char *)b->p + LWS_PRE, b->len - LWS_PRE,
	                  pss->message_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
	buf_clear(b);
	if (b->cap > LIMIT_WEB_WRITE_BYTES)
		buf_done(b);
	lws_rx_flow_control(wsi, 1);
	return n < 0 ? -1 : 0;
}

int echo_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		pss->echo = true;
		buf_init(&pss->message, LIMIT_WEB_ECHO_BYTES);
		return 0;
	case LWS_CALLBACK_RECEIVE: return take(wsi, pss, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE: return give(wsi, pss);
	case LWS_CALLBACK_CLOSED:
		pss->echo = false;
		buf_done(&pss->message);
		return 0;
	default: return 0;
	}
}
