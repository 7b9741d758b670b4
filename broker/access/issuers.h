/* issuers.h - who signs tokens: the issuer blocks of the configuration and their keys, from a file
 * or fetched from an address. Fetching runs on the reader pool, each issuer once at a time; keys
 * are kept when a fetch fails, and asked for again when a token names one that is not known. Loop
 * thread only. */
#ifndef ACCESS_ISSUERS_H
#define ACCESS_ISSUERS_H

#include "access/jwt.h"
#include "feed/hub.h"

struct issuers;
struct issuers *issuers_new(struct hub *h);
void issuers_stop(struct issuers *s);         /* what is being fetched is waited for no more */
void issuers_free(struct issuers *s);         /* nothing is being fetched: the loop has ended */
void issuers_reconfigured(struct issuers *s); /* reads hub_config() */
void issuers_second(struct issuers *s);       /* fetches and looks at files when it is time */

/* 0: the token is good now; *ret_issuer is the title of its block, and t is filled (its spans are
 * in text and mem, which has room for text.n bytes). ERR_DENIED with *ret_why; ERR_AGAIN: the
 * issuer's keys have not come yet. */
int issuers_verify(struct issuers *s, struct span text, char *mem, struct jwt *t,
                   const char **ret_issuer, const char **ret_why) MUSTCHECK;

#endif
