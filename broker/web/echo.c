/* echo.c - the WebSocket echo of oudpd --test-echo: whole messages, text and binary, however they
 * were cut. */
#include "web/private.h"

enum { ECHO_BYTES = 17 << 20 };

bool echo_asked(struct lws *wsi)
{
	char path[32];
	return web_of(wsi)->test_echo &&
	       lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) > 0 &&
	       strcmp(path, "/test/echo") == 0;
}

static int take(struct lws *wsi, struct pss *pss, const void *in, size_t len)
{
	struct buf *b = &pss->echo;
	if (b->len == 0) {
		char *p = buf_room(b, LWS_PRE);
		if (!p)
			return -1;
		b->len = LWS_PRE;
		pss->echo_binary = lws_frame_is_binary(wsi);
	}
	buf_add(b, in, len);
	if (b->err)
		return -1;
	if (lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi)) {
		lws_rx_flow_control(wsi, 0); /* one message at a time */
		lws_callback_on_writable(wsi);
	}
	return 0;
}

static int give(struct lws *wsi, struct pss *pss)
{
	struct buf *b = &pss->echo;
	if (b->len < LWS_PRE)
		return 0;
	int n = lws_write(wsi, (unsigned char *)b->p + LWS_PRE, b->len - LWS_PRE,
	                  pss->echo_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
	buf_clear(b);
	lws_rx_flow_control(wsi, 1);
	return n < 0 ? -1 : 0;
}

int echo_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED: buf_init(&pss->echo, ECHO_BYTES); return 0;
	case LWS_CALLBACK_RECEIVE: return take(wsi, pss, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE: return give(wsi, pss);
	case LWS_CALLBACK_CLOSED: buf_done(&pss->echo); return 0;
	default: return 0;
	}
}
