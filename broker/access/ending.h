/* ending.h - what the end of an organisation does beyond its identities and grants (book.h): its
 * things are ended in the register, and the end is told.
 *
 * As soon as an end is set, each of its things gets that moment as the end of its activity; one
 * that ends sooner keeps its own. When the moment has come they are ended. Things that are
 * registered later are treated alike, so the register is gone through again and again, a bounded
 * piece each second; a death between two pieces costs nothing. When the first round after the
 * moment has found nothing left to do, the audit has it and ended() is called, once: the row
 * "ended/NAME" remembers which end was told. Data stays as it is.
 *
 * An end that is taken back does not give things their former dates. Loop thread only. */
#ifndef ACCESS_ENDING_H
#define ACCESS_ENDING_H

#include "access/book.h"
#include "register/register.h"

struct ending;

struct ending_hooks {
	void *arg;
	/* o has ended, and so have its things. False: it cannot be told now; it is called again in
	 * a second. */
	bool (*ended)(void *arg, const struct organisation *o, unsigned things);
};

/* All of them outlive it. 0 or the store's error. */
int ending_new(struct access *a, struct things *t, const struct ending_hooks *hooks,
               struct ending **ret) MUSTCHECK;
void ending_second(struct ending *e); /* once a second */
void ending_stop(struct ending *e);   /* no more changes are begun */
void ending_free(struct ending *e);   /* accepts NULL; no change may be on its way */

#endif
